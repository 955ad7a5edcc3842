/** Where the demo happens: a directory, an account that PostgreSQL accepts, the cluster, and this program run against it. */
import { WalferryError } from "../errors.ts";
import { Accounts } from "../process/accounts.ts";
import type { CommandContext } from "../process/command_context.ts";
import { runProgram } from "../process/run_program.ts";
import { howBuilt, selfCommand } from "../process/self.ts";
import { formatSize } from "../report/units.ts";

/** Directory with `initdb`, `pg_ctl` and `postgres`. */
export interface DemoPostgres {
  readonly binPath: string;
  readonly version: string;
}

/** Accounts that root may become, best first: PostgreSQL refuses to run as root. */
const UNPRIVILEGED = ["postgres", "nobody"];
const STANZA = "demo";
/** Longest wait for the restored cluster to end its recovery, or for a segment to be archived. */
const WAIT_MS = 60_000;

/** Makes the directory. @throws WalferryError `UserMissing` for root without an account to become */
export async function makeDemoPlace(keep: boolean, context: CommandContext): Promise<DemoPlace> {
  const account = Deno.uid() === 0 ? unprivilegedAccount() : undefined;
  const path = await Deno.makeTempDir({ dir: "/tmp", prefix: "walferry-demo-" });
  const place = new DemoPlace(path, keep, account, context);
  for (const name of ["repo1", "repo2", "lock", "log", "spool", "socket"]) {
    await Deno.mkdir(`${path}/${name}`, { mode: 0o750 });
  }
  await Deno.writeTextFile(`${path}/walferry.conf`, configText(path), { mode: 0o640 });
  if (account !== undefined) {
    for (const name of ["", "/repo1", "/repo2", "/lock", "/log", "/spool", "/socket", "/walferry.conf"]) {
      await Deno.chown(`${path}${name}`, account.uid, account.gid);
    }
  }
  return place;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function unprivilegedAccount(): Account {
  const accounts = new Accounts();
  for (const name of UNPRIVILEGED) {
    const uid = accounts.userId(name);
    const gid = accounts.groupId(name) ?? accounts.groupId("nogroup") ?? accounts.groupId("nobody");
    if (uid !== undefined && gid !== undefined) return { name, uid, gid };
  }
  throw new WalferryError(
    "UserMissing",
    `PostgreSQL does not run as root, and none of the accounts ${UNPRIVILEGED.join(", ")} exists`,
    {
      hint: "run the demo as an ordinary user.",
    },
  );
}

function configText(path: string): string {
  return `[global]
repo1-path=${path}/repo1
repo1-retention-full=2
repo2-path=${path}/repo2
repo2-retention-full=2
repo2-cipher-type=aes-256-cbc
repo2-cipher-pass=${crypto.randomUUID()}
compress-type=zst
process-max=2
lock-path=${path}/lock
log-path=${path}/log
spool-path=${path}/spool

[${STANZA}]
pg1-path=${path}/pg
pg1-socket-path=${path}/socket
pg1-user=postgres
`;
}

export class DemoPlace implements AsyncDisposable {
  readonly path: string;
  readonly #keep: boolean;
  readonly #account: Account | undefined;
  readonly #context: CommandContext;
  readonly #lost: string[] = [];
  #postgres: DemoPostgres | undefined;
  #program = selfCommand();

  constructor(path: string, keep: boolean, account: Account | undefined, context: CommandContext) {
    this.path = path;
    this.#keep = keep;
    this.#account = account;
    this.#context = context;
  }

  get #data(): string {
    return `${this.path}/pg`;
  }

  /** Runs a program as the demo's account; gives its standard output. @throws WalferryError `Execute` with what it said */
  async run(program: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
    return await runProgram(program, args, {
      cwd: this.path,
      // A group of its own: Ctrl-C is for the demo, which then stops what runs in the right order.
      detached: true,
      signal,
      clearEnv: true,
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: this.path,
        LC_ALL: "C.UTF-8",
        TMPDIR: "/tmp",
      },
      uid: this.#account?.uid,
      gid: this.#account?.gid,
    });
  }

  /** Runs a program as whoever started the demo, whose settings of npm and of the network it needs. */
  async runAsCaller(program: string, args: readonly string[], cwd: string = this.path): Promise<string> {
    return await runProgram(program, args, { cwd, signal: this.#context.signal });
  }

  /**
   * Makes sure that the demo's account can run this program: an executable that lies where only root may look, such as root's home, is
   * copied. @throws WalferryError `Execute` when it cannot be run all the same
   */
  async prepareProgram(): Promise<void> {
    if (this.#account === undefined) return;
    const { path, args } = this.#program;
    try {
      await this.run(path, [...args, "version"], this.#context.signal);
      return;
    } catch (error) {
      if (this.#context.signal.aborted) throw error;
      if (howBuilt() === "deno run") {
        throw new WalferryError("Execute", `account '${this.#account.name}' cannot run this program from ${path}`, {
          cause: error,
          hint: "put it where every account may read it, or run the demo as an ordinary user.",
        });
      }
    }
    const copy = `${this.path}/walferry`;
    await Deno.copyFile(path, copy);
    await Deno.chmod(copy, 0o755);
    await this.run(copy, ["version"], this.#context.signal);
    this.#program = { path: copy, args: [] };
  }

  /** Runs this program with the demo's configuration. */
  async walferry(...args: string[]): Promise<string> {
    const { path, args: leading } = this.#program;
    const words = [...leading, `--config=${this.path}/walferry.conf`, `--stanza=${STANZA}`, ...args];
    return await this.run(path, words, this.#context.signal);
  }

  /** Makes and starts the cluster, archiving through this program. */
  async initCluster(postgres: DemoPostgres): Promise<string> {
    this.#postgres = postgres;
    await this.run(`${postgres.binPath}/initdb`, [
      "-D",
      this.#data,
      "-A",
      "trust",
      "-U",
      "postgres",
      "--data-checksums",
      "--no-sync",
    ]);
    const { path, args } = this.#program;
    const command = [path, ...args, `--config=${this.path}/walferry.conf`, `--stanza=${STANZA}`, "archive-push", "%p"]
      .map(shellWord).join(" ");
    await Deno.writeTextFile(
      `${this.#data}/postgresql.conf`,
      `\nlisten_addresses = ''\nunix_socket_directories = '${this.path}/socket'\narchive_mode = on\narchive_command = '${
        command.replaceAll("'", "''")
      }'\nfsync = off\n`,
      { append: true },
    );
    await this.#start();
    return `PostgreSQL ${postgres.version}`;
  }

  async #start(): Promise<void> {
    await this.run(`${this.#postgres!.binPath}/pg_ctl`, [
      "-D",
      this.#data,
      "-l",
      `${this.path}/log/postgres.log`,
      "-w",
      "-t",
      "60",
      "start",
    ]);
  }

  async #stop(mode: "fast" | "immediate"): Promise<void> {
    if (!await exists(`${this.#data}/postmaster.pid`)) return;
    await this.run(`${this.#postgres!.binPath}/pg_ctl`, ["-D", this.#data, "-m", mode, "-w", "stop"]);
  }

  /** Runs statements; gives the first value of the last one as text. */
  async sql(text: string): Promise<string> {
    const pg = await import("pg");
    const client = new pg.default.Client({
      host: `${this.path}/socket`,
      user: "postgres",
      database: "postgres",
      port: 5432,
    });
    await client.connect();
    try {
      const results = [
        await client.query({
          text,
          rowMode: "array",
          types: { getTypeParser: () => (value: string | Uint8Array) => value },
        }),
      ].flat();
      const last = results.at(-1) as { rows?: unknown[][] } | undefined;
      return String(last?.rows?.[0]?.[0] ?? "");
    } finally {
      await client.end();
    }
  }

  /** Number of rows and one hash over all of them. */
  async fingerprint(): Promise<string> {
    return await this.sql(
      "select count(*) || ' ' || md5(string_agg(id || ':' || cargo || ':' || at, ',' order by id)) from ferry",
    );
  }

  /** Waits until the archiver has nothing left to do. */
  async waitForArchive(): Promise<void> {
    const segment = await this.sql("select pg_walfile_name(pg_switch_wal())");
    await this.#until(
      async () => (await this.sql("select coalesce(last_archived_wal, '') from pg_stat_archiver")) >= segment,
      "the last segment to be archived",
    );
  }

  async #until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = this.#context.clock.monotonicMs() + WAIT_MS;
    while (!await condition()) {
      if (this.#context.clock.monotonicMs() > deadline) {
        throw new WalferryError("Runtime", `waited ${WAIT_MS / 1000} s for ${what}`);
      }
      await this.#context.clock.sleep(100, this.#context.signal);
    }
  }

  /** The data directory goes, and the first repository with it. */
  async loseCluster(): Promise<void> {
    await this.#stop("immediate");
    for (const name of ["pg", "repo1"]) {
      await Deno.remove(`${this.path}/${name}`, { recursive: true });
      this.#lost.push(name);
    }
  }

  /** What was lost. */
  lost(): Promise<readonly string[]> {
    return Promise.resolve(this.#lost);
  }

  /** Starts what was restored and waits until it is a primary again. */
  async startRestored(): Promise<string> {
    await this.#start();
    await this.#until(
      async () => (await this.sql("select pg_is_in_recovery()::text")) === "false",
      "the end of recovery",
    );
    const repository = await this.#sizeOf(`${this.path}/repo2`);
    return `from ${formatSize(repository)} in repository 2`;
  }

  async #sizeOf(path: string): Promise<number> {
    let size = 0;
    for await (const entry of Deno.readDir(path)) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory) size += await this.#sizeOf(child);
      else if (entry.isFile) size += (await Deno.stat(child)).size;
    }
    return size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop("immediate");
    if (!this.#keep) await Deno.remove(this.path, { recursive: true });
  }
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

/** A word for the shell that PostgreSQL runs. `%p` stays as it is. */
function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `"${word.replace(/["\\$`]/g, "\\$&")}"`;
}
