/** Where everything goes: data directory, tablespaces and links, as they were or as the user wants them (behaviour spec §5.4). */
import { WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestLink } from "../format/manifest.ts";
import type { Log } from "../report/log.ts";
import { parentOf, realPathOf } from "./local_files.ts";
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
  /** Manifest names of files that are restored as links to others of the data directory, which hold the content. */
  readonly innerLinks: ReadonlySet<string>;

  constructor(
    targets: readonly RestoreTarget[],
    links: readonly ManifestLink[],
    innerLinks: ReadonlySet<string> = new Set(),
  ) {
    this.targets = [...targets].sort((a, b) => b.name.length - a.name.length);
    this.links = links;
    this.innerLinks = innerLinks;
  }

  /** Absolute path of a manifest name, through the targets; `undefined` for the place holder `pg_tblspc`. */
  pathOf(name: string): string | undefined {
    const place = this.placeOf(name);
    return place === undefined ? undefined : `${place.path}${place.rest}`;
  }

  /** Path of the target that a manifest name belongs to, and what is behind it: nothing, or a text with a slash at its start. */
  placeOf(name: string): { readonly path: string; readonly rest: string } | undefined {
    const target = this.targets.find((one) => name === one.name || name.startsWith(`${one.name}/`));
    return target === undefined ? undefined : { path: target.path, rest: name.slice(target.name.length) };
  }

  /** The link that leads to a target; `undefined` for the data directory. */
  linkTo(target: RestoreTarget): ManifestLink | undefined {
    const name = target.kind === "tablespace" ? `pg_data/${target.name}` : target.name;
    return this.links.find((link) => link.name === name);
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

/** A link that is to be made, with what lies behind it. */
interface WantedLink extends ManifestLink {
  readonly kind: "linked directory" | "linked file";
  /** It leads where `--link-map` says, not where it led when it was backed up. */
  readonly isMapped: boolean;
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
  // The outer ones first: an inner link lies in what an outer one leads to, and a relative text counts from there.
  const innerLinks = new Set<string>();
  for (const wanted of wantedLinks(manifest, options, log).sort((a, b) => a.name.length - b.name.length)) {
    const link = wanted.isMapped ? wanted : movedAlong(wanted, original.path, basePath);
    if (link.isMapped || !leadsToOther(link, manifest, targets, links)) place(link, targets, links);
    else {
      innerLinks.add(link.name);
      links.push(asLink(link));
    }
  }
  assertDisjoint(targets);
  return new Layout(targets, links, innerLinks);
}

/** A link to a file of the data directory by its absolute path leads to where the data directory is now. */
function movedAlong(link: WantedLink, from: string, to: string): WantedLink {
  if (link.kind !== "linked file" || !link.destination.startsWith(`${from}/`)) return link;
  return { ...link, destination: `${to}${link.destination.slice(from.length)}` };
}

/** Whether a link is one to another file of the data directory that the backup holds: the content is there, under that name. */
function leadsToOther(
  { name, kind, destination }: WantedLink,
  { files }: Manifest,
  targets: readonly RestoreTarget[],
  links: readonly ManifestLink[],
): boolean {
  if (kind !== "linked file") return false;
  const layout = new Layout(targets, links);
  const { path, rest } = layout.placeOf(parentOf(name))!;
  const led = absolutePath(destination, `${realPathOf(path)}${rest}`, `link '${name}'`);
  const base = [layout.basePath, realPathOf(layout.basePath)].find((one) => led.startsWith(`${one}/`));
  if (base === undefined) return false;
  const other = `pg_data${led.slice(base.length)}`;
  return other !== name && FileTable.from(files).indexOf(other) !== -1;
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
    if (mapped?.startsWith("/") === false) {
      throw new WalferryError(
        "LinkDestination",
        `tablespace '${tablespaceName}' cannot be mapped to '${mapped}': the path must be absolute`,
      );
    }
    const path = absolutePath(
      mapped ?? target.path,
      `${realPathOf(options.cluster.path)}/pg_tblspc`,
      `tablespace '${tablespaceName}'`,
    );
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

function wantedLinks(manifest: Manifest, options: RestoreOptions, log: Log): WantedLink[] {
  const wanted: WantedLink[] = [];
  const stored = manifest.targets.filter(({ type, tablespaceId, name }) =>
    type === "link" && tablespaceId === undefined && name !== "pg_data"
  );
  const mapped = new Map(
    [...options.linkMap].map(([name, destination]) => [`pg_data/${name.replace(/\/+$/, "")}`, destination]),
  );
  for (const { name, file } of stored) {
    const text = manifest.links.find((link) => link.name === name);
    const destination = mapped.get(name) ?? (options.linkAll ? text?.destination : undefined);
    const kind = file === undefined ? "linked directory" : "linked file";
    if (destination === undefined) {
      log.warn(
        `${kind === "linked file" ? "file" : "contents of directory"} link '${
          name.slice("pg_data/".length)
        }' will be restored as a ${kind === "linked file" ? "file" : "directory"} at the same location`,
      );
      continue;
    }
    if (mapped.has(name)) log.info(`map link '${name.slice("pg_data/".length)}' to '${destination}'`);
    const isMapped = mapped.delete(name);
    wanted.push({ name, kind, destination, isMapped, user: text?.user ?? false, group: text?.group ?? false });
  }
  for (const [name, destination] of mapped) wanted.push(newLink(manifest, name, destination, log));
  return wanted;
}

/** A mapping can also turn a stored directory or file into a link. */
function newLink(manifest: Manifest, name: string, destination: string, log: Log): WantedLink {
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
  const kind = path === undefined ? "linked file" : "linked directory";
  return { name, kind, destination, isMapped: true, user: entry.user, group: entry.group };
}

function asLink({ name, destination, user, group }: WantedLink): ManifestLink {
  return { name, destination, user, group };
}

function place(wanted: WantedLink, targets: RestoreTarget[], links: ManifestLink[]): void {
  const { name, kind, destination } = wanted;
  const { path, rest } = new Layout(targets, links).placeOf(parentOf(name))!;
  // Of what is below the target only the names count: links found there are going to be removed.
  targets.push({ name, kind, path: absolutePath(destination, `${realPathOf(path)}${rest}`, `link '${name}'`) });
  links.push(asLink(wanted));
}

/**
 * A destination as an absolute path without `.` and `..`. As for the kernel, `..` leads to what is above the real place, whichever links were
 * passed on the way. @param from where a relative one begins: the directory of its link, without links
 * @throws WalferryError `LinkDestination`, `FileInfo`
 */
function absolutePath(destination: string, from: string, what: string): string {
  const unusable = () => new WalferryError("LinkDestination", `destination '${destination}' of ${what} is not usable`);
  if (destination === "" || destination.includes("\0")) throw unusable();
  let path = destination.startsWith("/") ? "/" : from;
  let isReal = true;
  for (const part of destination.split("/")) {
    if (part === "" || part === ".") continue;
    path = part === ".." ? parentOf(isReal ? path : realPathOf(path)) : `${path === "/" ? "" : path}/${part}`;
    isReal = part === "..";
  }
  if (path === "/") throw unusable();
  return path;
}

/** Two targets that are one, or one inside the other, would clean each other away. Files may share a directory. */
function assertDisjoint(targets: readonly RestoreTarget[]): void {
  const places = targets.map((target) => ({ target, path: realPathOf(target.path) }));
  const directories = places.filter(({ target }) => target.kind !== "linked file");
  for (const { target, path } of places) {
    for (const { target: other, path: otherPath } of directories) {
      if (target === other) continue;
      const same = path === otherPath;
      const inside = path.startsWith(`${otherPath}/`);
      if (same || (inside && !(target.kind === "linked file" && other.kind !== "base"))) {
        throw new WalferryError(
          "LinkDestination",
          `'${target.name}' destination '${target.path}' is the same directory as, or inside of, '${other.name}' destination '${other.path}'`,
        );
      }
    }
  }
}
