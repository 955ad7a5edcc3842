/** The executable as it is shipped (`WALFERRY_EXECUTABLE`, else dist/walferry), in surroundings that an installation meets. */
import { execute, type RunOptions, type RunResult, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { walferryPath } from "../support/programs.ts";
import { testAsRoot, testWith } from "../support/requirements.ts";

const SELF_TEST = new RegExp(
  "^worker thread: .*right\nhash sha1: (built in|the host's lib.*)\n(compress-type (bz2|gz): built in\n|compress-type (lz4|zst): (built in|the host's lib.*)\n){4}cipher-type aes-256-cbc: (built in|the host's lib.*)\nstarts itself: answered\n$",
);
const CANNOT_START = 126;

type Run = (folder: TestFolder) => Promise<void>;

async function inFolder(run: Run): Promise<void> {
  await using folder = await TestFolder.make();
  await run(folder);
}

function test(name: string, run: Run): void {
  testWith([walferryPath], name, () => inFolder(run));
}

/** Only root can take rights away from another account and run as that account. */
function rootTest(name: string, run: Run): void {
  testAsRoot([walferryPath], name, () => inFolder(run));
}

/** Runs without any environment but what is given. */
function bare(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const variables = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  return execute(["/usr/bin/env", "-i", ...variables, ...command], { ...options, env: {} });
}

function assertWorks(result: RunResult, where: string): void {
  assert(
    result.code === 0 && SELF_TEST.test(result.stdout) && result.stderr === "",
    `${where}: ${result.code}\n${result.stdout}${result.stderr}`,
  );
}

async function builtAsElf(): Promise<boolean> {
  return (await bare([walferryPath, "version"])).stdout.includes("built with elf");
}

test("the first line of `version` is what clients read, under both names, and the second says how it was built", async (folder) => {
  for (
    const [name, first] of [["walferry", /^walferry \d+\.\d+\.\d+$/], [
      "pgbackrest",
      /^pgBackRest \d+\.\d+\.\d+ \(walferry \d/,
    ]] as const
  ) {
    const link = `${folder.path}/${name}`;
    await Deno.symlink(walferryPath, link);
    const { code, stdout, stderr } = await bare([link, "version"]);
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.split("\n");
    assertIncludes(lines[0]!, first);
    assertIncludes(lines[1]!, /^built with (elf|deno compile), Deno \d/);
  }
});

test("worker threads and starting itself work wherever and however it is called", async (folder) => {
  const home = await folder.directory("home");
  const broken = await folder.directory("broken");
  for (const name of ["deno.json", "deno.jsonc", "package.json", "tsconfig.json", "deno.lock", ".npmrc", ".env"]) {
    await folder.file(`broken/${name}`, "{{ \xff registry=:::\n");
  }
  const unwritable = await folder.directory("unwritable", 0o555);
  const link = `${folder.path}/link`;
  await Deno.symlink(walferryPath, link);
  const cases: Record<string, [command: string[], options?: RunOptions]> = {
    "nothing in the environment": [[walferryPath]],
    "a home directory that cannot be written to": [[walferryPath], { env: { HOME: unwritable } }],
    "a home directory that does not exist": [[walferryPath], { env: { HOME: "/nonexistent" } }],
    "broken project files in the current directory": [[walferryPath], { cwd: broken }],
    "broken project files in the home directory": [[walferryPath], { env: { HOME: broken } }],
    "a symbolic link": [[link]],
    "a relative path": [[`./${link.split("/").at(-1)}`], { cwd: folder.path }],
    "a search in PATH": [["link"], { env: { PATH: folder.path } }],
    "the root directory": [[walferryPath], { cwd: "/" }],
    "the account of the test": [[walferryPath], { asSelf: true }],
    "settings of the runtime in the environment": [[walferryPath], {
      env: {
        HOME: home,
        DENO_LOG: "debug",
        DENO_V8_FLAGS: "--nonsense",
        DENO_COVERAGE_DIR: "/nonexistent",
        OTEL_DENO: "true",
        NODE_OPTIONS: "--require /x",
      },
    }],
    "few open files": [["/bin/sh", "-c", `ulimit -n 64; exec ${walferryPath} self-test`, "sh"]],
  };
  for (const [where, [command, options]] of Object.entries(cases)) {
    if (where.startsWith("settings") && !await builtAsElf()) continue;
    assertWorks(await bare([...command, "self-test"], options), where);
  }
});

rootTest("an account that may not enter the current directory can use it", async (folder) => {
  const closed = await folder.directory("closed", 0o700);
  await Deno.chown(closed, 0, 0);
  const command = `cd ${closed} && exec setpriv --reuid=65534 --regid=65534 --clear-groups ${walferryPath} self-test`;
  assertWorks(await bare(["/bin/sh", "-c", command], { asSelf: true }), closed);
});

test("it writes nothing that nobody asked for", async (folder) => {
  const places = {
    HOME: await folder.directory("home"),
    TMPDIR: await folder.directory("tmp"),
    XDG_CACHE_HOME: await folder.directory("cache"),
  };
  const cwd = await folder.directory("cwd");
  assertWorks(await bare([walferryPath, "self-test"], { env: places, cwd }), "empty directories");
  for (const place of [...Object.values(places), cwd]) assertEquals([...Deno.readDirSync(place)], [], place);
});

test("words that the runtime would understand reach the program", async () => {
  assertIncludes((await bare([walferryPath, "--help"])).stdout, "archive-push");
  for (const word of ["--v8-flags=--nonsense", "--allow-all", "--inspect", "-A"]) {
    const { code, stderr, stdout } = await bare([walferryPath, word, "version"]);
    assert(code >= 25 && code < 126, `${word}: ${code}`);
    assertIncludes(stderr + stdout, /ERROR: \[\d{3}\]: .*(invalid option|option)/);
  }
});

test("exit codes are the program's", async () => {
  assertEquals((await bare([walferryPath, "version", "superfluous"])).code, 96);
  assertEquals((await bare([walferryPath, "archive-get", "--no-such-option"])).code, 255);
});

test("closed standard streams are no obstacle", async () => {
  for (const closed of ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]) {
    const { code } = await bare(["/bin/sh", "-c", `${walferryPath} self-test answer ${closed}`]);
    assertEquals(code, 0, closed);
  }
});

rootTest(
  "where the packed executable cannot be read it says so, with a code that PostgreSQL does not take for an answer",
  async (folder) => {
    if (!await builtAsElf()) return;
    const copy = `${folder.path}/walferry`;
    await Deno.copyFile(walferryPath, copy);
    await Deno.chmod(copy, 0o711);
    await Deno.chown(copy, 0, 0);
    const unreadable = await bare([copy, "version"]);
    assertEquals(unreadable.code, CANNOT_START);
    assertIncludes(unreadable.stderr, "walferry: cannot start: /proc/self/exe cannot be read");

    const withoutProc = await bare([
      "/usr/bin/unshare",
      "--mount",
      "/bin/sh",
      "-c",
      `umount -l /proc && exec ${walferryPath} version`,
    ], { asSelf: true });
    assertEquals(withoutProc.code, CANNOT_START);
    assertIncludes(withoutProc.stderr, "walferry: cannot start: /proc/self/exe cannot be read");
  },
);

test("where the runtime of the packed executable cannot start the code is never 1, which would be `there is no such segment`", async () => {
  if (!await builtAsElf()) return;
  const directory = await Deno.makeTempDir();
  const vanished = await bare([
    "/bin/sh",
    "-c",
    `cd ${directory} && rmdir ${directory} && exec ${walferryPath} archive-get`,
  ], { asSelf: true });
  assertEquals(vanished.code, CANNOT_START);
  assertEquals(
    vanished.stderr,
    "walferry: cannot start: the current directory was removed: change to one that exists, such as cd /\n",
  );
  const withoutFiles = await bare(["/bin/sh", "-c", `ulimit -n 7; exec ${walferryPath} archive-get`]);
  assertEquals(withoutFiles.code, CANNOT_START);
});

test("on a terminal nothing but the answer is shown", async (folder) => {
  const result = await bare(["script", "-q", "-e", "-c", `${walferryPath} version`, `${folder.path}/typescript`], {
    cwd: folder.path,
  });
  assertEquals(result.code, 0);
  assertIncludes(result.stdout.replaceAll("\r", ""), /^walferry \d+\.\d+\.\d+\nbuilt with [^\n]+\n$/);
});

test("an answer that finds the disk full says so, one whose reader has gone does not", async () => {
  const full = await execute(["sh", "-c", '"$0" help >/dev/full', walferryPath]);
  assertEquals([full.code, full.stderr], [64, full.stderr]);
  assertIncludes(full.stderr, /^ERROR: \[064\]: unable to write to standard output: No space left on device/);
  const gone = await execute(["sh", "-c", '{ "$0" help; echo "$?" >&2; } | true', walferryPath]);
  assertIncludes(gone.stderr, /^(0|64)\n$/);
});
