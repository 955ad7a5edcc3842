/** Running programs as an ordinary account, and folders that belong to it: PostgreSQL does not run as root, and users' commands do not either. */
import { Accounts } from "../../src/process/accounts.ts";

/** Environment of everything that is started: nothing of the developer's own. */
const PLAIN_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C.UTF-8",
  HOME: "/nonexistent",
  DENO_DIR: "/tmp/walferry-test-deno",
};

/** Account that tests run servers and commands as; `undefined` when they need no other. */
export const testAccount: { readonly uid: number; readonly gid: number } | undefined = Deno.uid() === 0
  ? chooseAccount()
  : undefined;

function chooseAccount(): { uid: number; gid: number } {
  const accounts = new Accounts();
  for (const name of ["postgres", "nobody"]) {
    const uid = accounts.userId(name);
    const gid = accounts.groupId(name) ?? accounts.groupId("nogroup");
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error("no account to run PostgreSQL as");
}

/** Gives a path to the test account. */
export async function accountOwn(path: string): Promise<void> {
  if (testAccount !== undefined) await Deno.chown(path, testAccount.uid, testAccount.gid);
}

/**
 * A folder that the test account can read: the checkout, or (when that lies in a home that others may not enter) one in /var/tmp.
 * Executables and installed servers are put there.
 */
export const sharedPlace: string = testAccount === undefined || everybodyMayEnter(Deno.cwd())
  ? Deno.cwd()
  : "/var/tmp/walferry-tests";

function everybodyMayEnter(path: string): boolean {
  for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    if (((Deno.statSync(at).mode ?? 0) & 0o005) !== 0o005) return false;
  }
  return true;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Run as the account of the test itself (root in CI). */
  readonly asSelf?: boolean;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export async function execute(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    cwd: options.cwd ?? "/tmp",
    clearEnv: true,
    env: { ...PLAIN_ENVIRONMENT, ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.asSelf ? {} : testAccount),
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const output = await child.output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

/** Runs a program that must succeed; gives its standard output. */
export async function runAs(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await execute(command, options);
  if (result.code !== 0) {
    throw new Error(`'${command.join(" ")}' ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

/** A folder of one test; goes away with everything in it. */
export class TestFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TestFolder> {
    // Short, because sockets live in it.
    const path = await Deno.makeTempDir({ dir: "/tmp", prefix: "wft-" });
    await Deno.chmod(path, 0o750);
    await accountOwn(path);
    return new TestFolder(path);
  }

  /** A directory below, owned by the test account. */
  async directory(name: string, mode = 0o750): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path, { mode });
    await Deno.chmod(path, mode);
    await accountOwn(path);
    return path;
  }

  /** A file below, owned by the test account. */
  async file(name: string, content: string | Uint8Array, mode = 0o640): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content, { mode });
    await accountOwn(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (Deno.env.get("WALFERRY_TEST_KEEP") === "1") console.log(`kept ${this.path}`);
    else await Deno.remove(this.path, { recursive: true });
  }
}
