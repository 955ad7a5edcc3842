/**
 * The walk over a data directory: what a backup is going to hold, as entries of the manifest. Names only are judged by the rules of
 * src/postgres/directory_rules.ts; which of the files are copied is decided in planner.ts.
 *
 * Links are followed one level, as PostgreSQL's own base backup does for tablespaces: `pg_wal` on another disk, configuration files
 * under /etc. What a link leads to is listed under the link's name.
 */
import { WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import { compareBytes } from "../format/json.ts";
import type {
  ManifestDefaults,
  ManifestFiles,
  ManifestLink,
  ManifestPath,
  ManifestTarget,
  OwnerName,
} from "../format/manifest.ts";
import { isManifestName } from "../format/manifest_codec.ts";
import {
  contentsSkipped,
  isDatabaseDirectory,
  isSkippedFile,
  isTemporaryName,
  skippedRelationFiles,
} from "../postgres/directory_rules.ts";
import { Accounts } from "../process/accounts.ts";
import { directoryNames, listFailure } from "../process/directory_names.ts";
import { letGo } from "../process/garbage.ts";
import type { Log } from "../report/log.ts";

/** What to walk, and what to leave out. */
export interface ScanRequest {
  /** Data directory, absolute. */
  readonly pgPath: string;
  /** `PG_15_202209061`: the directory of this release in every tablespace. */
  readonly tablespaceDirectory: string;
  readonly online: boolean;
  /** Paths relative to the data directory; one that ends in `/` means the content only. */
  readonly exclude: readonly string[];
  /** Names by oid; `undefined` for an offline backup, where nobody can be asked. */
  readonly tablespaces: ReadonlyMap<string, string> | undefined;
  /** Seconds since the epoch that `PG_VERSION` gets for its time; absent = the file's own. See docs/decisions/0018. */
  readonly versionFileTimestamp?: number;
}

/** Everything found. Lists are sorted by name in byte order. */
export interface ClusterScan {
  readonly files: ManifestFiles;
  readonly paths: ManifestPath[];
  readonly links: ManifestLink[];
  readonly targets: ManifestTarget[];
  readonly defaults: ManifestDefaults;
  /** Where each target lies: manifest name to absolute path without links. */
  readonly roots: ReadonlyMap<string, string>;
}

/** Written once when a cluster is made. */
const VERSION_FILE = "pg_data/PG_VERSION";
/** Names that a tablespace's link can have: readers of a manifest take no other for an oid. */
const OID = /^\d{1,10}$/;
/** Names in a data directory that begin so many levels deep are a loop that the file system made. */
const DEPTH_MAX = 64;
const PERMISSION_BITS = 0o7777;
/** A data directory's mode, made the default mode of files: no execution, no writing by the group (repository-format §5.2). */
const FILE_MODE_MASK = 0o640;
/** Entries after which other things (signals, timers) get their turn. */
const ENTRIES_PER_TURN = 5000;
/** What looking at one leaves behind. */
const ENTRY_BYTES = 1000;

/**
 * Walks the data directory and its tablespaces.
 *
 * @throws WalferryError `PathMissing`, `PathOpen`, `FileInfo`; `LinkExpected` (something in `pg_tblspc` that is no link), `LinkDestination`
 * (a link to a link, into the data directory or into another link's directory), `FileMissing` (a link to nothing), `FileOpen` (a tablespace
 * whose directory is not there), `Assert` (one that the server does not know), `FileInvalid` (a name that a manifest cannot hold, or that is no
 * oid in `pg_tblspc`)
 */
export async function scanCluster(request: ScanRequest, log: Log, signal: AbortSignal): Promise<ClusterScan> {
  return await new Scanner(request, log, signal).run();
}

interface FoundEntry {
  readonly name: string;
  readonly absolute: string;
  readonly info: Deno.FileInfo;
}

class Scanner {
  readonly #request: ScanRequest;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #accounts = new Accounts();
  readonly #exclusions: readonly Exclusion[];
  readonly #files = FileTable.empty();
  readonly #paths: ManifestPath[] = [];
  readonly #links: ManifestLink[] = [];
  readonly #targets: ManifestTarget[] = [];
  readonly #roots = new Map<string, string>();
  #entries = 0;

  constructor(request: ScanRequest, log: Log, signal: AbortSignal) {
    this.#request = request;
    this.#log = log;
    this.#signal = signal;
    this.#exclusions = request.exclude.map(parseExclusion);
  }

  async run(): Promise<ClusterScan> {
    const { pgPath } = this.#request;
    const base = statOf(pgPath);
    if (base === undefined || !base.isDirectory) {
      throw new WalferryError("PathMissing", `unable to list file info for missing path '${pgPath}'`);
    }
    this.#roots.set("pg_data", Deno.realPathSync(pgPath));
    this.#targets.push({ name: "pg_data", type: "path", path: pgPath });
    this.#paths.push({ name: "pg_data", mode: modeOf(base), ...this.#ownerOf(base) });
    await this.#walk("pg_data", pgPath, 1);
    this.#files.sort();
    for (const list of [this.#paths, this.#links, this.#targets] as { name: string }[][]) {
      list.sort((a, b) => compareBytes(a.name, b.name));
    }
    const owner = this.#ownerOf(base);
    return {
      files: this.#files,
      paths: this.#paths,
      links: this.#links,
      targets: this.#targets,
      roots: this.#roots,
      defaults: {
        file: { mode: modeOf(base) & FILE_MODE_MASK, ...owner },
        path: { mode: modeOf(base), ...owner },
        link: owner,
      },
    };
  }

  /** Lists one directory under its manifest name and goes down into what is below. */
  async #walk(name: string, absolute: string, depth: number): Promise<void> {
    if (depth > DEPTH_MAX) {
      throw new WalferryError("PathOpen", `'${absolute}' is nested too deep: a loop of mounts or links?`);
    }
    const skip = contentsSkipped(name, this.#request.online);
    if (skip === "all") return;
    const contents = this.#exclusions.find((one) => one.contentsOnly && one.name === name);
    if (contents !== undefined) {
      this.#log.info(`exclude contents of '${absolute}' from backup using '${contents.text}' exclusion`);
      return;
    }
    const names = await listDirectory(absolute);
    if (names === undefined) return;
    const relations = isDatabaseDirectory(name) ? skippedRelationFiles(names) : undefined;
    for (const child of names) {
      if (isTemporaryName(child) || isSkippedFile(name, child) || relations?.has(child)) continue;
      if (++this.#entries % ENTRIES_PER_TURN === 0) await this.#breathe();
      const entry = this.#look(`${name}/${child}`, `${absolute}/${child}`);
      // Most are plain files: a promise for each of a million would cost as much as asking for its size.
      const below = entry && this.#take(entry, skip, depth);
      if (below !== undefined) await below;
    }
  }

  /** Adds an entry to the lists. Gives a promise when there is more below it. */
  #take(entry: FoundEntry, skip: "files" | "none", depth: number): Promise<void> | undefined {
    const { name, absolute, info } = entry;
    if (info.isFile && skip === "files") return;
    const excluded = this.#exclusions.find((one) => !one.contentsOnly && one.name === name);
    if (excluded !== undefined) {
      this.#log.info(`exclude '${absolute}' from backup using '${excluded.text}' exclusion`);
      return;
    }
    const inTablespaces = name.startsWith("pg_data/pg_tblspc/") && name.split("/").length === 3;
    if (inTablespaces && !info.isSymlink) {
      throw new WalferryError(
        "LinkExpected",
        `'${absolute}' is not a symlink - pg_tblspc should contain only symlinks`,
      );
    }
    if (info.isSymlink) {
      return inTablespaces ? this.#takeTablespace(entry, depth) : this.#takeLink(entry, depth);
    }
    if (info.isDirectory) {
      this.#addPath(name, info);
      return this.#walk(name, absolute, depth + 1);
    }
    if (info.isFile) this.#addFile(name, info);
    else this.#log.warn(`exclude special file '${absolute}' from backup`);
  }

  /** A directory or file that was moved elsewhere and linked from here. */
  async #takeLink({ name, absolute, info }: FoundEntry, depth: number): Promise<void> {
    const destination = readLink(absolute);
    if (destination === undefined) return;
    const target = this.#follow(name, absolute, destination);
    this.#links.push({ name, destination, ...this.#ownerOf(info) });
    if (target.isDirectory) {
      this.#claim(name, absolute, destination);
      this.#targets.push({ name, type: "link", path: destination });
      this.#addPath(name, target);
      return await this.#walk(name, absolute, depth + 1);
    }
    if (!target.isFile) {
      throw new WalferryError(
        "LinkDestination",
        `link '${absolute}' leads to '${destination}', which is neither file nor directory`,
      );
    }
    const slash = destination.lastIndexOf("/");
    this.#targets.push({
      name,
      type: "link",
      path: slash < 0 ? "." : slash === 0 ? "/" : destination.slice(0, slash),
      file: destination.slice(slash + 1),
    });
    this.#addFile(name, target);
  }

  /** A tablespace: listed under `pg_tblspc/<oid>`, and of it only what belongs to this release. */
  async #takeTablespace({ name, absolute, info }: FoundEntry, depth: number): Promise<void> {
    const oid = name.slice(name.lastIndexOf("/") + 1);
    if (!OID.test(oid)) {
      throw new WalferryError("FileInvalid", `'${absolute}' is not a tablespace: its name is no oid`, {
        hint: "remove what is not PostgreSQL's from pg_tblspc, or leave it out with exclude",
      });
    }
    const destination = readLink(absolute);
    if (destination === undefined) return;
    const target = this.#follow(name, absolute, destination);
    if (!target.isDirectory) {
      throw new WalferryError(
        "LinkDestination",
        `tablespace link '${absolute}' leads to '${destination}', which is no directory`,
      );
    }
    const tablespaceName = this.#request.tablespaces === undefined ? `ts${oid}` : this.#request.tablespaces.get(oid);
    if (tablespaceName === undefined) {
      throw new WalferryError("Assert", `tablespace with oid ${oid} not found in tablespace map`, {
        hint: "was a tablespace created or dropped during the backup?",
      });
    }
    const directory = this.#request.tablespaceDirectory;
    const entry = this.#look(`pg_tblspc/${oid}/${directory}`, `${absolute}/${directory}`);
    if (entry === undefined || !entry.info.isDirectory) {
      // At DROP TABLESPACE it goes just before the link does. Else every tablespace has it, an empty one too.
      if (lstatOf(absolute) === undefined) return;
      throw new WalferryError("FileOpen", `unable to get info for missing path/file '${absolute}/${directory}'`, {
        hint: `is the disk of the tablespace mounted at '${destination}'?`,
      });
    }
    this.#claim(`pg_tblspc/${oid}`, absolute, destination);
    this.#links.push({ name, destination, ...this.#ownerOf(info) });
    this.#targets.push({
      name: `pg_tblspc/${oid}`,
      type: "link",
      path: destination,
      tablespaceId: oid,
      tablespaceName,
    });
    const base = this.#paths[0]!;
    const placeholder = { mode: base.mode, user: base.user, group: base.group };
    if (!this.#paths.some((path) => path.name === "pg_tblspc")) this.#paths.push({ name: "pg_tblspc", ...placeholder });
    this.#paths.push({ name: `pg_tblspc/${oid}`, ...placeholder });
    this.#addPath(entry.name, entry.info);
    await this.#walk(entry.name, entry.absolute, depth + 1);
  }

  /** What a link leads to. */
  #follow(name: string, absolute: string, destination: string): Deno.FileInfo {
    const resolved = destination.startsWith("/")
      ? destination
      : `${absolute.slice(0, absolute.lastIndexOf("/"))}/${destination}`;
    const target = lstatOf(resolved);
    if (target === undefined) {
      throw new WalferryError(
        "FileMissing",
        `unable to get info for missing path/file '${resolved}', destination of link '${name}'`,
      );
    }
    if (target.isSymlink) {
      throw new WalferryError("LinkDestination", `link '${absolute}' cannot reference another link '${resolved}'`);
    }
    return target;
  }

  /** Sees to it that no two roots overlap: a file in both would be stored, and restored, twice. */
  #claim(name: string, absolute: string, destination: string): void {
    const root = Deno.realPathSync(absolute);
    for (const [otherName, other] of this.#roots) {
      if (root !== other && !root.startsWith(`${other}/`) && !other.startsWith(`${root}/`)) continue;
      const reason = otherName === "pg_data"
        ? "destination is in PGDATA"
        : `destination is the same as, above or below that of link '${otherName}' (${other})`;
      throw new WalferryError("LinkDestination", `link '${name}' (${destination}) ${reason}`);
    }
    this.#roots.set(name, root);
  }

  #addPath(name: string, info: Deno.FileInfo): void {
    this.#paths.push({ name, mode: modeOf(info), ...this.#ownerOf(info) });
  }

  #addFile(name: string, info: Deno.FileInfo): void {
    const given = name === VERSION_FILE ? this.#request.versionFileTimestamp : undefined;
    this.#files.add({
      name,
      sizeBytes: info.size,
      repoSizeBytes: info.size,
      timestamp: given ?? Math.floor((info.mtime?.getTime() ?? 0) / 1000),
      mode: modeOf(info),
      ...this.#ownerOf(info),
    });
  }

  #ownerOf(info: Deno.FileInfo): { user: OwnerName; group: OwnerName } {
    return {
      user: this.#accounts.userName(info.uid ?? 0) ?? false,
      group: this.#accounts.groupName(info.gid ?? 0) ?? false,
    };
  }

  /** `undefined` when the entry went away since the directory was read: the server removed it. */
  #look(name: string, absolute: string): FoundEntry | undefined {
    const info = lstatOf(absolute);
    if (info === undefined && absolute.includes("\uFFFD")) {
      throw new WalferryError(
        "FileInvalid",
        `the name of '${absolute}' is not UTF-8 and cannot be stored in a manifest`,
      );
    }
    if (info === undefined) return undefined;
    if (!isManifestName(name)) {
      throw new WalferryError("FileInvalid", `the name of ${JSON.stringify(absolute)} cannot be stored in a manifest`);
    }
    return { name, absolute, info };
  }

  async #breathe(): Promise<void> {
    letGo(ENTRIES_PER_TURN * ENTRY_BYTES);
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#signal.throwIfAborted();
  }
}

interface Exclusion {
  /** As configured. */
  readonly text: string;
  readonly name: string;
  readonly contentsOnly: boolean;
}

function parseExclusion(text: string): Exclusion {
  const contentsOnly = text.endsWith("/");
  const path = contentsOnly ? text.slice(0, -1) : text;
  // Tablespaces have a root of their own in the manifest.
  const name = /^pg_tblspc\/\d+\//.test(path) ? path : `pg_data/${path}`;
  return { text, name, contentsOnly };
}

function modeOf(info: Deno.FileInfo): number {
  return (info.mode ?? 0) & PERMISSION_BITS;
}

/** Names in a directory, sorted; `undefined` when it went away. */
async function listDirectory(absolute: string): Promise<string[] | undefined> {
  try {
    return (await directoryNames(absolute)).sort(compareBytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw listFailure(absolute, error);
  }
}

/** Text of a link; `undefined` when it went away since it was seen, as at DROP TABLESPACE. */
function readLink(absolute: string): string | undefined {
  try {
    return Deno.readLinkSync(absolute);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new WalferryError("FileInfo", `unable to read link '${absolute}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function statOf(absolute: string): Deno.FileInfo | undefined {
  return inspect(absolute, Deno.statSync);
}

function lstatOf(absolute: string): Deno.FileInfo | undefined {
  return inspect(absolute, Deno.lstatSync);
}

function inspect(absolute: string, call: (path: string) => Deno.FileInfo): Deno.FileInfo | undefined {
  try {
    return call(absolute);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new WalferryError("FileInfo", `unable to get info for path/file '${absolute}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}
