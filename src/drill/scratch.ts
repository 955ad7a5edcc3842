/**
 * The directory of one drill: always a new one, so that what is removed at the end is only what the drill made, and never in the place of a
 * cluster or of a repository.
 */
import { WalferryError } from "../errors.ts";
import type { Clock } from "../process/clock.ts";
import { directoryNames, listFailure } from "../process/directory_names.ts";
import { freeBytes } from "../process/free_space.ts";
import type { Log } from "../report/log.ts";
import { formatSize } from "../report/units.ts";

const PREFIX = "walferry-drill-";
/** Where a drill happens on a host that has no data directory. */
const FALLBACK = "/var/tmp";
/** Room beyond the size of the backup: a tenth for what recovery adds, and this for WAL (PostgreSQL's own `max_wal_size` by default). */
const WAL_BYTES = 1024 ** 3;
/** A file system with less than this is about to be full: the drill goes before others fail. */
const SHORT_BYTES = 256 * 1024 ** 2;
const WATCH_EVERY_MS = 1000;
/** Longest path of a Unix socket on the systems that PostgreSQL runs on, less `/.s.PGSQL.65535.lock` and the terminating zero. */
const SOCKET_DIRECTORY_MAX = 104 - 21;
/** A program that is ending may still write while the directory is removed. */
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 100;

/** Who must be kept away from. */
export interface Neighbours {
  /** Data directories of configured clusters. */
  readonly clusterPaths: readonly string[];
  readonly repositoryPaths: readonly string[];
}

/**
 * Makes the directory.
 * @param parent where it is to be; absent = beside the first cluster, else `/var/tmp`
 * @param sizeBytes of the cluster in the backup
 * @throws WalferryError `PathMissing`, `PathOpen`, `PathCreate`, `OptionInvalidValue` (in a cluster or repository), `FileWrite` (no room)
 */
export async function makeScratch(
  parent: string | undefined,
  neighbours: Neighbours,
  sizeBytes: number,
  keep: boolean,
  clock: Clock,
): Promise<Scratch> {
  const place = parent ?? usualPlace(neighbours);
  const real = realPathOf(place);
  if (real === undefined) {
    throw new WalferryError("PathMissing", `the path '${place}' for the drill does not exist`, {
      hint: "is its file system mounted? A drill makes a directory of its own below drill-path.",
    });
  }
  await assertApart(real, neighbours);
  assertRoom(place, sizeBytes, freeBytes(real));
  let path: string;
  try {
    // Private from the beginning: it will hold all data of the cluster.
    path = Deno.makeTempDirSync({ dir: real, prefix: PREFIX });
  } catch (error) {
    throw new WalferryError(
      "PathCreate",
      `unable to make a directory for the drill in '${place}': ${(error as Error).message}`,
      { cause: error, hint: "name a directory of the account that runs the drill with drill-path." },
    );
  }
  return new Scratch(path, keep, clock);
}

/** The disk that was made for the cluster has room for it, if any has. */
function usualPlace({ clusterPaths }: Neighbours): string {
  const beside = clusterPaths[0]?.replace(/\/[^/]+$/, "");
  return beside !== undefined && beside !== "" && isWritable(beside) ? beside : FALLBACK;
}

/** @throws WalferryError `OptionInvalidValue` when a directory is that of a cluster or a repository, or inside of one; `PathOpen` */
export async function assertApart(real: string, { clusterPaths, repositoryPaths }: Neighbours): Promise<void> {
  const refuse = (what: string): never => {
    throw new WalferryError("OptionInvalidValue", `'${real}' cannot be used for a drill: it is ${what}`, {
      hint: "name another directory with drill-path.",
    });
  };
  const isIn = (other: string) => {
    const root = realPathOf(other) ?? other;
    return real === root || real.startsWith(`${root}/`);
  };
  for (const path of clusterPaths) if (isIn(path)) refuse(`in the data directory '${path}'`);
  for (const path of repositoryPaths) if (isIn(path)) refuse(`in the repository '${path}'`);
  // Clusters of other stanzas, and those that nobody configured here, show what they are.
  for (let at = real; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const mark = await markOfCluster(at);
    if (mark !== undefined) refuse(`in a directory of PostgreSQL's: there is '${at}/${mark}'`);
  }
}

/** The entry that makes a directory that of a cluster or of a tablespace. */
async function markOfCluster(path: string): Promise<string | undefined> {
  let names: string[];
  try {
    names = await directoryNames(path);
  } catch (error) {
    // What this account may not list it does not own, and data directories belong to the account of the server.
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw listFailure(path, error);
  }
  return names.find((name) => name === "PG_VERSION" || /^PG_\d+(?:\.\d+)?_\d{9}$/.test(name));
}

/** @throws WalferryError `FileWrite` when the cluster would not fit */
export function assertRoom(place: string, sizeBytes: number, free: number): void {
  const needed = Math.ceil(sizeBytes * 1.1) + WAL_BYTES;
  if (free >= needed) return;
  throw new WalferryError(
    "FileWrite",
    `there is no room for a drill in '${place}': ${formatSize(needed)} are needed, ${formatSize(free)} are free`,
    { hint: "name a directory on another file system with drill-path." },
  );
}

/** The directory and what is in it. */
export class Scratch implements AsyncDisposable {
  readonly path: string;
  /** Directory of the server's socket, and nothing else. */
  readonly socketPath: string;
  readonly #keep: boolean;
  readonly #clock: Clock;

  /** @internal Use {@link makeScratch}. */
  constructor(path: string, keep: boolean, clock: Clock) {
    this.path = path;
    this.#keep = keep;
    this.#clock = clock;
    const encoder = new TextEncoder();
    this.socketPath = encoder.encode(`${path}/socket`).length <= SOCKET_DIRECTORY_MAX
      ? `${path}/socket`
      : Deno.makeTempDirSync({ dir: "/tmp", prefix: PREFIX });
    for (const directory of [this.dataPath, this.tablespacePath, this.spoolPath, this.socketPath]) {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
  }

  get dataPath(): string {
    return `${this.path}/data`;
  }
  get tablespacePath(): string {
    return `${this.path}/tablespaces`;
  }
  get spoolPath(): string {
    return `${this.path}/spool`;
  }
  /** What the server says. */
  get logPath(): string {
    return `${this.path}/postgresql.log`;
  }

  /** Aborts when the file system is about to be full, until it is disposed. */
  watchSpace(measure: (path: string) => number = freeBytes): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const timer = setInterval(() => {
      try {
        const free = measure(this.path);
        if (free >= SHORT_BYTES) return;
        controller.abort(
          new WalferryError(
            "FileWrite",
            `the drill was given up: '${this.path}' has only ${formatSize(free)} of free space left`,
            { hint: "name a directory on another file system with drill-path." },
          ),
        );
      } catch (error) {
        controller.abort(error);
      }
    }, WATCH_EVERY_MS);
    return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** Removes it, also while a program that is ending writes into it. @throws WalferryError `PathRemove` */
  async [Symbol.asyncDispose](): Promise<void> {
    const paths = [
      ...(this.#keep ? [] : [this.path]),
      ...(this.socketPath.startsWith(this.path) ? [] : [this.socketPath]),
    ];
    for (const path of paths) await this.#remove(path);
  }

  async #remove(path: string): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        await Deno.remove(path, { recursive: true });
        return;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return;
        if (tries === REMOVE_TRIES) {
          throw new WalferryError("PathRemove", `unable to remove path '${path}': ${(error as Error).message}`, {
            cause: error,
            hint: "it holds a copy of the cluster: remove it by hand.",
          });
        }
        await this.#clock.sleep(REMOVE_PAUSE_MS);
      }
    }
  }
}

/** Tells of directories that an earlier drill left because it was killed. @throws WalferryError `PathOpen` */
export async function warnOfLeftovers(scratch: Scratch, log: Log): Promise<void> {
  const parent = scratch.path.slice(0, scratch.path.lastIndexOf("/")) || "/";
  let names: string[];
  try {
    names = await directoryNames(parent);
  } catch (error) {
    throw listFailure(parent, error);
  }
  for (const name of names) {
    const path = `${parent}/${name}`;
    if (name.startsWith(PREFIX) && path !== scratch.path && isDirectory(path)) {
      log.warn(`there is another directory of a drill, '${path}': remove it unless that drill still runs`);
    }
  }
}

/** One that its own drill removes in this moment is none. */
function isDirectory(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

function isWritable(path: string): boolean {
  try {
    Deno.removeSync(Deno.makeTempDirSync({ dir: path, prefix: PREFIX }));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    if (error instanceof Deno.errors.NotADirectory || (error as { code?: string }).code === "EROFS") return false;
    throw error;
  }
}
