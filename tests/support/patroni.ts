/** A real Patroni (Debian's package) over a real etcd: clusters that make their own replicas. */
import { testAccount, type TestFolder } from "./accounts.ts";
import { freePorts, untilListening } from "./free_port.ts";
import { until } from "./until.ts";

/** Programs that it needs (see testWith). */
export const PATRONI_PROGRAMS = ["patroni", "etcd"];

const BIN = "/usr/lib/postgresql/15/bin";
const PASSWORD = "only for tests";

/** A program of the test account that goes on until it is ended. */
class Daemon implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** @param log file for all that it says */
  static start(command: readonly string[], log: string): Daemon {
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >>"$0" 2>&1', log, ...command],
      cwd: "/tmp",
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", HOME: "/nonexistent", PYTHONUNBUFFERED: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      ...testAccount,
    }).spawn();
    return new Daemon(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Where Patroni's nodes find each other. */
export class Etcd implements AsyncDisposable {
  readonly port: number;
  readonly #daemon: Daemon;

  private constructor(port: number, daemon: Daemon) {
    this.port = port;
    this.#daemon = daemon;
  }

  static async start(folder: TestFolder): Promise<Etcd> {
    const port = freePorts(2);
    const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
    const daemon = Daemon.start([
      "etcd",
      `--data-dir=${await folder.directory("etcd", 0o700)}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--unsafe-no-fsync",
    ], `${folder.path}/etcd.log`);
    await untilListening(port);
    return new Etcd(port, daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}

/** One node: its cluster, and Patroni that looks after it. */
export class PatroniNode implements AsyncDisposable {
  readonly name: string;
  readonly path: string;
  /** Of PostgreSQL. */
  readonly port: number;
  readonly #folder: TestFolder;
  readonly #restPort: number;
  readonly #etcd: Etcd;
  #daemon: Daemon | undefined;

  /** @param name also of its data directory */
  constructor(folder: TestFolder, etcd: Etcd, name: string) {
    this.name = name;
    this.path = `${folder.path}/${name}`;
    this.#folder = folder;
    this.#etcd = etcd;
    this.port = freePorts(2);
    this.#restPort = this.port + 1;
  }

  /**
   * Starts Patroni: the first node makes a cluster, others make replicas of it.
   *
   * @param commands how this node archives and gets WAL, and makes a replica
   */
  async start(commands: { archive: string; get: string; replica: string }): Promise<void> {
    const settings = {
      scope: "main",
      name: this.name,
      restapi: { listen: `127.0.0.1:${this.#restPort}`, connect_address: `127.0.0.1:${this.#restPort}` },
      etcd3: { host: `127.0.0.1:${this.#etcd.port}` },
      bootstrap: {
        dcs: { ttl: 20, loop_wait: 1, retry_timeout: 5, postgresql: { use_pg_rewind: false } },
        initdb: [{ encoding: "UTF8" }, { locale: "C.UTF-8" }, "data-checksums", "no-sync"],
      },
      postgresql: {
        listen: `127.0.0.1:${this.port}`,
        connect_address: `127.0.0.1:${this.port}`,
        data_dir: this.path,
        bin_dir: BIN,
        pgpass: `${this.#folder.path}/pgpass-${this.name}`,
        parameters: {
          archive_mode: "on",
          archive_command: commands.archive,
          unix_socket_directories: this.#folder.path,
        },
        pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
        authentication: {
          superuser: { username: "postgres", password: PASSWORD },
          replication: { username: "replicator", password: PASSWORD },
        },
        recovery_conf: { restore_command: commands.get },
        // What Patroni's documentation says for pgBackRest.
        create_replica_methods: ["pgbackrest"],
        pgbackrest: { command: commands.replica, keep_data: true, no_params: true },
      },
    };
    // JSON is YAML.
    const file = await this.#folder.file(`${this.name}.yml`, JSON.stringify(settings), 0o600);
    this.#daemon = Daemon.start(["patroni", file], this.logPath);
  }

  /** Where it and its server tell what they do. */
  get logPath(): string {
    return `${this.#folder.path}/${this.name}.log`;
  }

  async log(): Promise<string> {
    return await Deno.readTextFile(this.logPath);
  }

  /** Waits until Patroni says that the node is in this role and that its server answers. */
  async untilRole(role: "master" | "replica"): Promise<void> {
    try {
      await until(`${this.name} to be ${role}`, async () => (await this.#status())?.role === role, 90_000);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${(await this.log()).split("\n").slice(-30).join("\n")}`);
    }
  }

  async #status(): Promise<{ role: string } | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#restPort}/patroni`);
      const status = await answer.json() as { state: string; role: string };
      return status.state === "running" ? status : undefined;
    } catch (error) {
      // Nobody listens yet.
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  /** Asks this leader to give way to another node. */
  async switchOver(to: PatroniNode): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.#restPort}/switchover`, {
      method: "POST",
      body: JSON.stringify({ leader: this.name, candidate: to.name }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`switchover: ${answer.status} ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
  }
}
