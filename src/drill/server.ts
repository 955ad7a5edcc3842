/** The server on the restored data: started, waited for until recovery is over, ended. It never outlives the drill. */
import { WalferryError } from "../errors.ts";
import { serverStatus } from "../postgres/server_status.ts";
import type { Clock } from "../process/clock.ts";
import type { Scratch } from "./scratch.ts";

/** How often the server is looked at while it recovers, in milliseconds. */
const POLL_MS = 100;
/** Time for an immediate end until the process is killed, in milliseconds. */
const QUIT_MS = 10_000;
/** Lines of the server's log that go into an error. */
const SAID_MAX = 12;
/** Bytes from the end of the log in which they are looked for. */
const TAIL_BYTES = 16_384;

export class DrillServer implements AsyncDisposable {
  readonly #scratch: Scratch;
  readonly #clock: Clock;
  readonly #child: Deno.ChildProcess;
  readonly #watchdog: Watchdog;
  #ended: Deno.CommandStatus | undefined;

  private constructor(scratch: Scratch, clock: Clock, child: Deno.ChildProcess) {
    this.#scratch = scratch;
    this.#clock = clock;
    this.#child = child;
    this.#watchdog = new Watchdog(child.pid);
    this.#wait();
  }

  async #wait(): Promise<void> {
    this.#ended = await this.#child.status;
  }

  /** Starts the server. @throws WalferryError `Execute` */
  static start(
    binPath: string,
    scratch: Scratch,
    environment: Readonly<Record<string, string>>,
    clock: Clock,
  ): DrillServer {
    const postgres = [`${binPath}/postgres`, "-c", `config_file=${scratch.path}/postgresql.conf`];
    try {
      const child = new Deno.Command("/bin/sh", {
        // The shell gives its place to the server, whose log goes straight into the file.
        args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", scratch.logPath, ...postgres],
        cwd: scratch.path,
        clearEnv: true,
        env: { ...environment },
        stdin: "null",
        stdout: "null",
        stderr: "null",
        // Ctrl-C is for the drill, which then ends the server.
        detached: true,
      }).spawn();
      return new DrillServer(scratch, clock, child);
    } catch (error) {
      throw new WalferryError("Execute", `unable to start '${postgres[0]}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Waits until recovery is over and sessions are accepted. @throws WalferryError `DrillFailed` with what the server said at its end, `FileRead` when WAL could not be read */
  async untilReady(signal: AbortSignal): Promise<void> {
    while (!this.#isReady()) {
      if (this.#ended !== undefined) {
        const said = this.lastWords();
        // An archive that is out of reach says nothing about the backup.
        throw new WalferryError(
          said.includes("could not restore file") ? "FileRead" : "DrillFailed",
          `the restored cluster did not come up: PostgreSQL ended with ${this.#ended.code}:\n${said}`,
        );
      }
      await this.#clock.sleep(POLL_MS, signal);
    }
  }

  #isReady(): boolean {
    return serverStatus(this.#scratch.dataPath) === "ready";
  }

  /** The end of the server's log: what it complained of, or the last lines when it did not. */
  lastWords(): string {
    const lines = tailOf(this.#scratch.logPath).split("\n").filter(Boolean);
    const complaints = lines.filter((line) => /\b(?:FATAL|PANIC|ERROR|HINT|DETAIL):/.test(line));
    return (complaints.length > 0 ? complaints : lines).slice(-SAID_MAX).join("\n");
  }

  /** Ends the server with a checkpoint, so that its files are whole. @throws WalferryError `DrillFailed` when it does not end well */
  async stopCleanly(signal: AbortSignal): Promise<void> {
    this.#tell("SIGINT");
    while (this.#ended === undefined) await this.#clock.sleep(POLL_MS, signal);
    if (this.#ended.success) return;
    throw new WalferryError(
      "DrillFailed",
      `PostgreSQL did not stop cleanly, it ended with ${this.#ended.code}:\n${this.lastWords()}`,
    );
  }

  #tell(signal: Deno.Signal): void {
    if (this.#ended === undefined) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tell("SIGQUIT");
    const deadline = this.#clock.monotonicMs() + QUIT_MS;
    while (this.#ended === undefined && this.#clock.monotonicMs() < deadline) await this.#clock.sleep(POLL_MS);
    // Its children notice and end by themselves.
    this.#tell("SIGKILL");
    await this.#child.status;
    await this.#watchdog[Symbol.asyncDispose]();
  }
}

/**
 * Ends the server when this process is killed and can no longer do it: a shell that waits for a word from here, and takes the end of the pipe
 * for the end of this process.
 */
class Watchdog implements AsyncDisposable {
  readonly #shell: Deno.ChildProcess;

  constructor(pid: number) {
    this.#shell = new Deno.Command("/bin/sh", {
      args: ["-c", 'read word || kill -QUIT "$1"', "sh", String(pid)],
      cwd: "/",
      clearEnv: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // A signal to the group of this process must leave it alone.
      detached: true,
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const writer = this.#shell.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode("ended\n"));
      await writer.close();
    } catch (error) {
      // Somebody ended it; it has nothing left to do.
      if (!(error instanceof Error)) throw error;
    }
    await this.#shell.status;
  }
}

function tailOf(path: string): string {
  try {
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    file.seekSync(Math.max(0, size - TAIL_BYTES), Deno.SeekMode.Start);
    const bytes = new Uint8Array(TAIL_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
