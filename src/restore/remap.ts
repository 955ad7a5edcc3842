/** Where everything goes: data directory, tablespaces and links, as they were or as the user wants them (behaviour spec §5.4). */
import { WalferryError } from "../errors.ts";
import type { Manifest, ManifestLink, ManifestTarget } from "../format/manifest.ts";
import type { Log } from "../report/log.ts";
import type { RestoreOptions } from "./options.ts";

/** A directory (or, for a linked file, a file) outside or at the root of which restored things live. */
export interface RestoreTarget {
  /** Manifest name: `pg_data`, `pg_tblspc/16384`, `pg_data/pg_wal`. */
  readonly name: string;
  readonly kind: "base" | "tablespace" | "linked directory" | "linked file";
  /** Absolute and normal: no `.`, no `..`. */
  readonly path: string;
}

/** The layout of a restored cluster. */
export class Layout {
  /** Links to make: name to text. Tablespace links included. */
  readonly links: readonly ManifestLink[];
  /** Longest names first, so that the first match is the nearest. */
  readonly targets: readonly RestoreTarget[];

  constructor(targets: readonly RestoreTarget[], links: readonly ManifestLink[]) {
    this.targets = [...targets].sort((a, b) => b.name.length - a.name.length);
    this.links = links;
  }

  /** Absolute path of a manifest name, through the targets; `undefined` for the place holder `pg_tblspc`. */
  pathOf(name: string): string | undefined {
    for (const target of this.targets) {
      if (name === target.name) return target.path;
      if (name.startsWith(`${target.name}/`)) return `${target.path}${name.slice(target.name.length)}`;
    }
    return undefined;
  }

  /** Absolute path of the link itself. */
  linkPath(link: ManifestLink): string {
    const slash = link.name.lastIndexOf("/");
    return `${this.pathOf(link.name.slice(0, slash))!}${link.name.slice(slash)}`;
  }

  /** The data directory. */
  get basePath(): string {
    return this.pathOf("pg_data")!;
  }
}

/** @throws WalferryError `TablespaceMap`, `LinkMap`, `LinkDestination`, `Format` */
export function layoutOf(manifest: Manifest, options: RestoreOptions, log: Log): Layout {
  const basePath = options.cluster.path;
  const original = manifest.targets.find(({ name }) => name === "pg_data");
  if (original === undefined) throw new WalferryError("Format", "unable to find 'pg_data' in manifest target list");
  if (original.path !== basePath) log.info(`remap data directory to '${basePath}'`);
  const targets: RestoreTarget[] = [{ name: "pg_data", kind: "base", path: basePath }];
  const links: ManifestLink[] = [];
  placeTablespaces(manifest, options, log, targets, links);
  placeLinks(manifest, options, log, targets, links);
  assertDisjoint(targets);
  return new Layout(targets, links);
}

function placeTablespaces(
  manifest: Manifest,
  options: RestoreOptions,
  log: Log,
  targets: RestoreTarget[],
  links: ManifestLink[],
): void {
  const used = new Set<string>();
  for (const target of manifest.targets.filter(({ tablespaceId }) => tablespaceId !== undefined)) {
    const { tablespaceId, tablespaceName } = target;
    const byId = options.tablespaceMap.get(tablespaceId!);
    const byName = options.tablespaceMap.get(tablespaceName!);
    if (byId !== undefined && byName !== undefined && byId !== byName) {
      throw new WalferryError(
        "TablespaceMap",
        `tablespace remapped by name '${tablespaceName}' and id ${tablespaceId} with different paths`,
      );
    }
    if (byId !== undefined) used.add(tablespaceId!);
    if (byName !== undefined) used.add(tablespaceName!);
    const mapped = byId ?? byName ??
      (options.tablespaceMapAll === undefined ? undefined : `${options.tablespaceMapAll}/${tablespaceName}`);
    const path = absolutePath(mapped ?? target.path, "/", `tablespace '${tablespaceName}'`);
    if (mapped !== undefined && mapped !== target.path) log.info(`map tablespace '${target.name}' to '${path}'`);
    targets.push({ name: target.name, kind: "tablespace", path });
    const link = manifest.links.find(({ name }) => name === `pg_data/${target.name}`);
    links.push({
      name: `pg_data/${target.name}`,
      destination: path,
      user: link?.user ?? false,
      group: link?.group ?? false,
    });
  }
  const unknown = [...options.tablespaceMap.keys()].find((key) => !used.has(key));
  if (unknown !== undefined) {
    throw new WalferryError("TablespaceMap", `unable to remap invalid tablespace '${unknown}'`);
  }
}

function placeLinks(
  manifest: Manifest,
  options: RestoreOptions,
  log: Log,
  targets: RestoreTarget[],
  links: ManifestLink[],
): void {
  const stored = manifest.targets.filter(({ type, tablespaceId, name }) =>
    type === "link" && tablespaceId === undefined && name !== "pg_data"
  );
  const mapped = new Map(
    [...options.linkMap].map(([name, destination]) => [`pg_data/${name.replace(/\/+$/, "")}`, destination]),
  );
  for (const target of stored) {
    const text = manifest.links.find(({ name }) => name === target.name);
    const destination = mapped.get(target.name) ?? (options.linkAll ? text?.destination : undefined);
    const kind = target.file === undefined ? "linked directory" : "linked file";
    if (destination === undefined) {
      log.warn(
        `${kind === "linked file" ? "file" : "contents of directory"} link '${
          target.name.slice("pg_data/".length)
        }' will be restored as a ${kind === "linked file" ? "file" : "directory"} at the same location`,
      );
      continue;
    }
    if (mapped.has(target.name)) log.info(`map link '${target.name.slice("pg_data/".length)}' to '${destination}'`);
    place(target, kind, destination, text, options, targets, links);
    mapped.delete(target.name);
  }
  for (const [name, destination] of mapped) placeNewLink(manifest, name, destination, options, log, targets, links);
}

/** A mapping can also turn a stored directory or file into a link. */
function placeNewLink(
  manifest: Manifest,
  name: string,
  destination: string,
  options: RestoreOptions,
  log: Log,
  targets: RestoreTarget[],
  links: ManifestLink[],
): void {
  const shown = name.slice("pg_data/".length);
  if (shown === "pg_tblspc" || shown.startsWith("pg_tblspc/")) {
    throw new WalferryError("LinkMap", `unable to remap tablespace link '${shown}'`, {
      hint: "use the tablespace-map option.",
    });
  }
  const path = manifest.paths.find((entry) => entry.name === name);
  const file = manifest.files.values().find((entry) => entry.name === name);
  const entry = path ?? file;
  if (entry === undefined) {
    throw new WalferryError("LinkMap", `unable to map invalid link '${shown}'`, {
      hint: "is the link, directory or file in the backup?",
    });
  }
  log.info(`map ${path === undefined ? "file" : "path"} '${shown}' to link '${destination}'`);
  const target: ManifestTarget = { name, type: "link", path: destination };
  place(
    target,
    path === undefined ? "linked file" : "linked directory",
    destination,
    { user: entry.user, group: entry.group },
    options,
    targets,
    links,
  );
}

function place(
  target: ManifestTarget,
  kind: "linked directory" | "linked file",
  destination: string,
  owner: Pick<ManifestLink, "user" | "group"> | undefined,
  options: RestoreOptions,
  targets: RestoreTarget[],
  links: ManifestLink[],
): void {
  const parent = target.name.slice(0, target.name.lastIndexOf("/"));
  const linkDirectory = `${options.cluster.path}${parent.slice("pg_data".length)}`;
  targets.push({ name: target.name, kind, path: absolutePath(destination, linkDirectory, `link '${target.name}'`) });
  links.push({ name: target.name, destination, user: owner?.user ?? false, group: owner?.group ?? false });
}

/** A destination as an absolute path without `.` and `..`. @throws WalferryError `LinkDestination` */
function absolutePath(destination: string, from: string, what: string): string {
  const whole = destination.startsWith("/") ? destination : `${from}/${destination}`;
  const parts: string[] = [];
  for (const part of whole.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  if (parts.length === 0 || destination.includes("\0")) {
    throw new WalferryError("LinkDestination", `destination '${destination}' of ${what} is not usable`);
  }
  return `/${parts.join("/")}`;
}

/** Two targets that are one, or one inside the other, would clean each other away. Files may share a directory. */
function assertDisjoint(targets: readonly RestoreTarget[]): void {
  const directories = targets.filter(({ kind }) => kind !== "linked file");
  for (const target of targets) {
    for (const other of directories) {
      if (target === other) continue;
      const same = target.path === other.path;
      const inside = target.path.startsWith(`${other.path}/`);
      if (same || (inside && !(target.kind === "linked file" && other.kind !== "base"))) {
        throw new WalferryError(
          "LinkDestination",
          `'${target.name}' destination '${target.path}' is the same directory as, or inside of, '${other.name}' destination '${other.path}'`,
        );
      }
    }
  }
}
