/**
 * Making the targets ready: checking that they may be written, removing what does not belong, making directories and links (behaviour spec
 * §5.6). Links are never followed: what is outside of the targets is not touched.
 */
import { WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestPath, OwnerName } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import { letGo } from "../process/garbage.ts";
import { tablespaceDirectory } from "../postgres/version.ts";
import type { Log } from "../report/log.ts";
import { attempt, lstat, namesIn, parentOf, realPathOf, stat, syncDirectory } from "./local_files.ts";
import type { RestoreOptions } from "./options.ts";
import type { Owners } from "./owners.ts";
import type { Layout, RestoreTarget } from "./remap.ts";
import { mayBeUnnamable, removeUnnamable } from "./unnamable.ts";

/** Marks a restore in progress; lets a later `--delta` go on. */
export const PROGRESS_FILE = "backup.manifest";
/** Files of a data directory that `--type=preserve` leaves as they are. */
export const PRESERVED_FILES = ["postgresql.auto.conf", "recovery.signal", "standby.signal"];

/**
 * A file of the manifest that is not written: tablespace links are made from the maps, `preserve` keeps recovery settings as they are, and a
 * link to another file of the data directory has its content there.
 */
export function isSkipped(name: string, options: RestoreOptions, { innerLinks }: Layout): boolean {
  if (name === "pg_data/tablespace_map" || innerLinks.has(name)) return true;
  return options.type === "preserve" && PRESERVED_FILES.some((file) => name === `pg_data/${file}`);
}

/** Mode of missing directories above those of the backup. */
const PARENT_MODE = 0o755;

/** What everything here works with. */
export interface Preparation {
  readonly manifest: Manifest;
  readonly layout: Layout;
  readonly options: RestoreOptions;
  /** `--delta` or `--force` count (they do not in a directory that never was a cluster). */
  readonly replace: boolean;
  readonly owners: Owners;
  readonly log: Log;
}

/** What helps where files are in the way: not what was tried already. */
function deltaHint({ delta, force, cluster }: RestoreOptions): string {
  return delta || force
    ? `if '${cluster.path}' is a data directory that has lost its PG_VERSION, make an empty file of that name in it; else empty it, or choose another one.`
    : "try using --delta if this is what you intended.";
}

/** @throws WalferryError `PathOpen` (not ours), `PathNotEmpty`, `FileExists`, `PathCreate` (a link that leads nowhere) */
export async function checkTargets({ manifest, layout, options, replace }: Preparation): Promise<void> {
  const paths = pathsOf(manifest, layout);
  for (const target of layout.targets) {
    const path = rootOf(target, manifest);
    const found = lstat(path);
    if (target.kind === "linked file") {
      if (found !== undefined && !replace) {
        throw new WalferryError(
          "FileExists",
          `unable to restore file link '${target.name}' because '${path}' already exists`,
          {
            hint: deltaHint(options),
          },
        );
      }
      continue;
    }
    assertNotDangling(target.path);
    assertNotDangling(path);
    const existing = stat(path);
    if (existing === undefined) continue;
    if (!existing.isDirectory) {
      throw new WalferryError("PathOpen", `unable to restore to '${path}' because it is not a directory`);
    }
    if (Deno.uid() !== 0 && (existing.uid !== Deno.uid() || ((existing.mode ?? 0) & 0o700) !== 0o700)) {
      throw new WalferryError(
        "PathOpen",
        `unable to restore to path '${path}' not owned by current user or without permission`,
        {
          hint: "run restore as the account that owns the cluster.",
        },
      );
    }
    if (!replace) await assertEmpty(path, target, options, deltaHint(options));
    else if (!isLinkedTo(target, layout) && !await holdsNothingBut(paths, path)) {
      // That the data directory was a cluster says nothing of a place that it does not use: another cluster may.
      await assertEmpty(
        path,
        target,
        options,
        "the data directory has no link to it, so that it may be another cluster's. " +
          "Choose another place (--tablespace-map, --link-map), or empty it if it is nobody's.",
      );
    }
  }
}

function assertNotDangling(path: string): void {
  if (!lstat(path)?.isSymlink || stat(path) !== undefined) return;
  throw new WalferryError(
    "PathCreate",
    `unable to restore to '${path}': it is a link to '${Deno.readLinkSync(path)}', where nothing is`,
    { hint: "make the directory that it leads to, or remove the link." },
  );
}

/** Whether all that is below a directory are some of these directories: what a restore leaves that was cut off before it made its links. */
async function holdsNothingBut(paths: ReadonlyMap<string, ManifestPath>, directory: string): Promise<boolean> {
  for (const name of await namesIn(directory)) {
    const path = `${directory}/${name}`;
    if (!paths.has(path) || lstat(path)?.isDirectory !== true || !await holdsNothingBut(paths, path)) return false;
  }
  return true;
}

/** Whether the data directory, as it is, has its link to this place. */
function isLinkedTo(target: RestoreTarget, layout: Layout): boolean {
  if (target.kind === "base") return true;
  const link = layout.linkTo(target);
  if (link === undefined) return false;
  try {
    return Deno.realPathSync(layout.linkPath(link)) === Deno.realPathSync(target.path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function assertEmpty(
  path: string,
  target: RestoreTarget,
  options: RestoreOptions,
  hint: string,
): Promise<void> {
  const tolerated = target.kind === "base"
    ? [PROGRESS_FILE, ...(options.type === "preserve" ? PRESERVED_FILES : [])]
    : [];
  if ((await namesIn(path)).every((name) => tolerated.includes(name))) return;
  throw new WalferryError("PathNotEmpty", `unable to restore to path '${path}' because it contains files`, { hint });
}

/** A tablespace shares its directory with other versions of PostgreSQL; only the part of this one belongs to the backup. */
function rootOf(target: RestoreTarget, manifest: Manifest): string {
  if (target.kind !== "tablespace") return target.path;
  const version = manifest.paths.find(({ name }) => name.startsWith(`${target.name}/`))?.name.split("/")[2];
  // Where the backup holds nothing of it, it says nothing of what others have there.
  return `${target.path}/${version ?? tablespaceDirectory(manifest.pgVersion, manifest.catalogVersion)}`;
}

/** Removes `pg_control` first of all: from here on the cluster cannot be started until the restore is complete. */
export function removeControlFile({ layout, log }: Preparation): void {
  const path = `${layout.basePath}/${CONTROL_FILE}`;
  if (lstat(path) === undefined) return;
  log.debug(`remove '${path}'`);
  attempt("FileRemove", `unable to remove '${path}'`, () => Deno.removeSync(path));
  syncDirectory(path.slice(0, path.lastIndexOf("/")));
}

/** Everything that a target should hold, by absolute path. */
interface Expected {
  /** Of these there may be millions: they are looked up by their names in the manifest. */
  readonly files: FileTable;
  /** Files that the manifest does not know, and linked ones, which may lie in the directory of another target. */
  readonly others: ReadonlySet<string>;
  readonly paths: Map<string, ManifestPath>;
  readonly links: Map<string, string>;
}

function expectedOf({ manifest, layout, options }: Preparation): Expected {
  const ours = [PROGRESS_FILE, ...(options.type === "preserve" ? PRESERVED_FILES : [])];
  const links = new Map(layout.links.map((link) => [layout.linkPath(link), link.destination]));
  return {
    files: FileTable.from(manifest.files),
    others: new Set([
      ...ours.map((name) => `${layout.basePath}/${name}`),
      ...layout.targets.filter(({ kind }) => kind === "linked file").map(({ path }) => path),
    ]),
    paths: pathsOf(manifest, layout),
    links,
  };
}

/** The directories of a backup, by absolute path. */
function pathsOf(manifest: Manifest, layout: Layout): Map<string, ManifestPath> {
  const paths = new Map<string, ManifestPath>();
  for (const entry of manifest.paths) {
    const path = layout.pathOf(entry.name);
    if (path !== undefined) paths.set(path, entry);
  }
  return paths;
}

/** Removes what is not in the backup, in every target, and mends mode and owner of what stays. */
export async function cleanTargets(preparation: Preparation): Promise<void> {
  const { layout, manifest, log } = preparation;
  const expected = expectedOf(preparation);
  for (const target of layout.targets) {
    if (target.kind === "linked file") continue;
    const root = rootOf(target, manifest);
    if (lstat(root) === undefined) continue;
    log.info(`remove invalid files/links/paths from '${root}'`);
    await cleanDirectory(root, `${target.name}${root.slice(target.path.length)}`, expected, preparation);
  }
}

/** What a look at a file leaves behind. */
const LOOK_BYTES = 1000;

/** @param manifestName of the directory */
async function cleanDirectory(
  directory: string,
  manifestName: string,
  expected: Expected,
  preparation: Preparation,
): Promise<void> {
  const { log, owners, layout, options } = preparation;
  const names = await namesIn(directory);
  if (names.some(mayBeUnnamable)) {
    for (const name of removeUnnamable(directory)) log.detail(`remove invalid file/link/path '${directory}/${name}'`);
  }
  for (const name of names) {
    const path = `${directory}/${name}`;
    const found = lstat(path);
    letGo(LOOK_BYTES);
    // Not UTF-8, and removed above.
    if (found === undefined) continue;
    const wantedPath = expected.paths.get(path);
    if (found.isDirectory && wantedPath !== undefined && !expected.links.has(path)) {
      owners.apply(path, wantedPath, wantedPath.mode);
      await cleanDirectory(path, `${manifestName}/${name}`, expected, preparation);
      continue;
    }
    if (found.isSymlink && expected.links.get(path) === Deno.readLinkSync(path)) continue;
    const fileName = `${manifestName}/${name}`;
    // A name below another target stands for a file that lies there. What is not written would stay as it was found: PostgreSQL would make
    // its tablespace links from another cluster's `tablespace_map`.
    const isExpected = expected.others.has(path) ||
      (layout.pathOf(fileName) === path && expected.files.indexOf(fileName) !== -1 &&
        !isSkipped(fileName, options, layout));
    if (found.isFile && isExpected) continue;
    log.detail(`remove invalid ${found.isDirectory ? "path" : found.isSymlink ? "link" : "file"} '${path}'`);
    attempt("PathRemove", `unable to remove '${path}'`, () => Deno.removeSync(path, { recursive: found.isDirectory }));
  }
}

/** Makes directories from the top down, then the links to them. */
export function makePathsAndLinks(preparation: Preparation): void {
  const { manifest, layout, owners } = preparation;
  for (const target of layout.targets) {
    if (target.kind === "linked file") {
      makeDirectory(parentOf(target.path), undefined, preparation);
    }
  }
  const entries = [...manifest.paths];
  for (const target of layout.targets) {
    if (target.kind !== "linked file" && !entries.some(({ name }) => name === target.name)) {
      entries.push({ name: target.name, ...manifest.defaults.path });
    }
  }
  // A link that becomes a plain directory may have no entry of its own for the directory.
  for (const link of manifest.links) {
    const isDirectory = manifest.files.values().some(({ name }) => name.startsWith(`${link.name}/`));
    if (isDirectory && !entries.some(({ name }) => name === link.name) && !link.name.startsWith("pg_data/pg_tblspc/")) {
      entries.push({ name: link.name, ...manifest.defaults.path });
    }
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = layout.pathOf(entry.name);
    if (path !== undefined) makeDirectory(path, entry, preparation);
  }
  for (const link of layout.links) {
    const path = layout.linkPath(link);
    const found = lstat(path);
    if (found?.isSymlink && Deno.readLinkSync(path) === link.destination) continue;
    attempt(
      "FileWrite",
      `unable to create symlink '${path}' to '${link.destination}'`,
      () => Deno.symlinkSync(link.destination, path),
    );
    owners.applyToLink(path, link);
  }
  for (const target of layout.targets) assertLedTo(target, layout);
}

/** PostgreSQL goes through the links, the restore does not: both must come to the same place. */
function assertLedTo(target: RestoreTarget, layout: Layout): void {
  const link = layout.linkTo(target);
  if (link === undefined) return;
  const path = layout.linkPath(link);
  const led = link.destination.startsWith("/") ? link.destination : `${parentOf(path)}/${link.destination}`;
  if (realPathOf(led) === realPathOf(target.path)) return;
  throw new WalferryError(
    "LinkDestination",
    `link '${path}' to '${link.destination}' does not lead to '${target.path}'`,
    { hint: "choose an absolute destination with --link-map." },
  );
}

function makeDirectory(
  path: string,
  entry: { readonly mode: number; readonly user: OwnerName; readonly group: OwnerName } | undefined,
  { owners, manifest }: Preparation,
): void {
  const found = lstat(path);
  if (found === undefined) {
    const mode = entry?.mode ?? manifest.defaults.path.mode;
    attempt("PathCreate", `unable to create path '${path}'`, () => {
      // What is above belongs to whoever restores: where that is root, the cluster's own account has to come through.
      Deno.mkdirSync(parentOf(path), { recursive: true, mode: PARENT_MODE });
      Deno.mkdirSync(path, { mode });
    });
    owners.apply(path, entry ?? manifest.defaults.path, mode);
  } else if (!found.isDirectory && !(found.isSymlink && stat(path)?.isDirectory)) {
    throw new WalferryError("PathCreate", `unable to create path '${path}': something else has that name`);
  } else if (entry !== undefined) owners.apply(path, entry, entry.mode);
}

/** Makes every directory that was restored into durable, `global` excepted: that one comes last. */
export function syncTargets({ manifest, layout }: Preparation): void {
  const seen = new Set<string>();
  for (const target of layout.targets) {
    const path = target.kind === "linked file" ? parentOf(target.path) : target.path;
    seen.add(path);
  }
  for (const { name } of manifest.paths) {
    const path = layout.pathOf(name);
    if (path !== undefined) seen.add(path);
  }
  seen.delete(`${layout.basePath}/global`);
  for (const path of seen) syncDirectory(path);
}
