/** Where options come from at the edges: variables that name files, damaged and large files, numbers that mean nothing, secrets. */
import { parseCommandLine } from "../../src/cli/command_line.ts";
import { COMMAND_NAMES, COMMANDS } from "../../src/cli/commands.ts";
import { completionScript } from "../../src/cli/completion.ts";
import { type ConfigPlaces, parseConfig, readConfigFiles } from "../../src/cli/config_file.ts";
import { Configuration } from "../../src/cli/configuration.ts";
import { configCheck } from "../../src/cli/config_check.ts";
import { optionsOf } from "../../src/cli/help.ts";
import { loadConfiguration } from "../../src/cli/load_configuration.ts";
import { OPTIONS } from "../../src/cli/option_table.ts";
import { drillRestoreCommandText, restoreCommandText } from "../../src/cli/restore_command.ts";
import {
  annotateOptions,
  archivePushOptions,
  backupOptions,
  infoOptions,
  repositories,
} from "../../src/cli/typed_options.ts";
import { type ErrorKind, isWalferryError, type WalferryError } from "../../src/errors.ts";
import type { CommandContext } from "../../src/process/command_context.ts";
import { writeFully } from "../../src/report/write_fully.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { recordingLog } from "../support/recording_log.ts";
import { until } from "../support/until.ts";

const PG = "[main]\npg1-path=/pg\n";

function configure(words: string, file = "", environment: Record<string, string> = {}): Configuration {
  const commandLine = parseCommandLine(words.split(" ").filter(Boolean));
  return Configuration.make({
    command: commandLine.command!,
    commandLine,
    environment,
    lines: parseConfig(file, "test.conf"),
  });
}

async function refused(kind: ErrorKind, part: string, action: () => unknown): Promise<WalferryError> {
  const error = await assertThrows<WalferryError>(action);
  assertEquals(error.kind, kind, error.text);
  assertIncludes(error.text, part);
  return error;
}

/** A folder with files in it, gone when the test is over. */
async function withFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (root: string) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, content] of Object.entries(files)) {
      await Deno.mkdir(`${root}/${path.slice(0, path.lastIndexOf("/") + 1)}`, { recursive: true });
      await Deno.writeFile(
        `${root}/${path}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("variables name the files too; the command line wins over them, WALFERRY_ over PGBACKREST_", async () => {
  const of = (name: string) => `[global]\nrepo1-path=/${name}\n`;
  await withFiles(
    { "a.conf": of("a"), "b.conf": of("b"), "p/pgbackrest.conf": of("p"), "p/conf.d/x.conf": "[global]\ndelta=y\n" },
    async (root) => {
      const path = async (words: string, environment: Record<string, string>) => {
        const args = `${words} restore`.trim().split(" ");
        const config = await loadConfiguration("restore", parseCommandLine(args), {
          args,
          invokedName: "walferry",
          environment,
        });
        return [config.string("repo-path", 1), config.boolean("delta")];
      };
      assertEquals(await path("", { PGBACKREST_CONFIG: `${root}/a.conf` }), ["/a", false]);
      assertEquals(await path("", { PGBACKREST_CONFIG: `${root}/a.conf`, WALFERRY_CONFIG: `${root}/b.conf` }), [
        "/b",
        false,
      ]);
      assertEquals(await path(`--config=${root}/b.conf`, { WALFERRY_CONFIG: "/nonexistent" }), ["/b", false]);
      assertEquals(await path("", { PGBACKREST_CONFIG_PATH: `${root}/p` }), ["/p", true]);
      assertEquals(await path("--no-config", { WALFERRY_CONFIG: "/nonexistent" }), ["/var/lib/pgbackrest", false]);
      await refused("FileMissing", "/nonexistent", () => path("", { PGBACKREST_CONFIG: "/nonexistent" }));
      await refused("OptionInvalidValue", "'config' must not be empty", () => path("", { PGBACKREST_CONFIG: "" }));
      await refused(
        "PathMissing",
        "/nowhere",
        () => path("", { PGBACKREST_CONFIG_INCLUDE_PATH: "/nowhere", PGBACKREST_CONFIG: `${root}/a.conf` }),
      );
    },
  );
});

Deno.test("the main file of older times is read when the one of today does not exist, whatever conf.d holds", async () => {
  await withFiles(
    { "old.conf": "[global]\nfrom=old\n", "d/x.conf": "[global]\nfrom=d\n" },
    async (root) => {
      const places: ConfigPlaces[] = [
        { file: `${root}/none/walferry.conf`, includePath: `${root}/none/conf.d` },
        { file: `${root}/pgbackrest.conf`, oldFile: `${root}/old.conf`, includePath: `${root}/d` },
      ];
      const read = async () => (await readConfigFiles({}, places)).map(({ value }) => value);
      assertEquals(await read(), ["old", "d"]);
      await Deno.writeTextFile(`${root}/pgbackrest.conf`, "[global]\nfrom=new\n");
      assertEquals(await read(), ["new", "d"]);
      await Deno.mkdir(`${root}/none/conf.d`, { recursive: true });
      assertEquals(await read(), []);
    },
  );
});

Deno.test("a place that cannot be looked at is an error, not another program's configuration", async () => {
  await withFiles({ "file": "" }, async (root) => {
    const long = `${root}/${"x".repeat(300)}`;
    const places: ConfigPlaces[] = [
      { file: `${long}/walferry.conf`, includePath: `${long}/conf.d` },
      { file: `${root}/file`, includePath: `${root}/none` },
    ];
    await refused("FileOpen", "unable to look for", () => readConfigFiles({}, places));
    assertEquals(
      await readConfigFiles({}, [{ file: `${root}/file/x.conf`, includePath: `${root}/none` }, places[1]!]),
      [],
    );
  });
});

Deno.test("a file of ten megabytes is read, one of seventeen is refused, a directory too", async () => {
  const line = `# ${"x".repeat(1021)}\n`;
  await withFiles(
    { "ten.conf": line.repeat(10 * 1024) + "[global]\nk=v\n", "big.conf": line.repeat(17 * 1024) },
    async (root) => {
      assertEquals((await readConfigFiles({ config: `${root}/ten.conf` }, [])).length, 1);
      await refused("Format", "larger than 16 MiB", () => readConfigFiles({ config: `${root}/big.conf` }, []));
      await refused("FileOpen", root, () => readConfigFiles({ config: root }, []));
    },
  );
});

Deno.test("bytes that are no UTF-8 may stand in a comment, not in a value", async () => {
  const bytes = (...parts: Array<string | number>) =>
    Uint8Array.from(parts.flatMap((part) => typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]));
  await withFiles({
    "comment.conf": bytes("# ", 0xe4, "\n[global]\nk=v\n"),
    "value.conf": bytes("[global]\nrepo1-cipher-pass=secret", 0xe4, "\n"),
    "mark.conf": bytes(0xef, 0xbb, 0xbf, "[global]\nk=v\n"),
  }, async (root) => {
    const read = async (name: string) =>
      (await readConfigFiles({ config: `${root}/${name}.conf` }, [])).map(({ value }) => value);
    assertEquals(await read("comment"), ["v"]);
    assertEquals(await read("mark"), ["v"]);
    const error = await refused("Format", "text that is not UTF-8 at line 2", () => read("value"));
    assert(!error.text.includes("secret"));
  });
});

Deno.test("a file that ends anywhere is read as far as it goes or refused with its line, never anything else", () => {
  const file = "# head\r\n[global]\nrepo1-path=/r\nrepo1-cipher-pass=a=b # c\n\n[main:backup]\nprocess-max=3\n[main]\n";
  for (let length = 0; length <= file.length; length++) {
    try {
      const lines = parseConfig(file.slice(0, length), "cut.conf");
      assert(lines.every(({ section, key }) => section !== "" && key !== ""));
    } catch (error) {
      assert(isWalferryError(error, "Format"), String(error));
      assertIncludes(error.message, /at line \d of 'cut\.conf'$/);
    }
  }
});

Deno.test("only blanks, tabs and line ends are trimmed: a no-break space belongs to a passphrase", () => {
  const [line] = parseConfig("[global]\n \trepo1-cipher-pass \t= \u00a0pass\u3000\v \t\r\n", "f");
  assertEquals([line!.key, line!.value], ["repo1-cipher-pass", "\u00a0pass\u3000\v"]);
});

Deno.test("a repository of which only options without meaning are written is none", async () => {
  const keys = (file: string, words = "--stanza=main backup") =>
    repositories(configure(words, file + PG), true).map(({ key }) => key);
  assertEquals(keys("[global]\nrepo1-path=/r\nrepo2-s3-bucket=b\nrepo2-s3-key=x\nrepo2-storage-verify-tls=n\n"), [1]);
  assertEquals(keys("[global]\nrepo2-s3-bucket=b\n"), [1]);
  assertEquals(keys("[global]\nrepo2-host-user=u\nrepo3-path=/c\n"), [3]);
  assertEquals(keys("[global]\nrepo2-bundle-limit=1MiB\n"), [1]);
  // A retention is a plan for a repository: the default directory of both is the mistake that is told.
  await refused(
    "OptionInvalidValue",
    "must be different",
    () => keys("[global]\nrepo1-retention-full=1\nrepo2-retention-full=2\n"),
  );
  await refused(
    "OptionInvalid",
    "option 'repo2-s3-bucket' not valid without option 'repo2-type' in (s3)",
    () => configure("--stanza=main --repo2-s3-bucket=b info", PG),
  );
});

Deno.test("--repo chooses past a repository whose options are not complete", async () => {
  const file = `[global]\nrepo1-type=s3\nrepo1-s3-bucket=b\nrepo2-path=/r\n${PG}`;
  assertEquals(infoOptions(configure("--stanza=main --repo=2 info", file)).repositories.map(({ key }) => key), [2]);
  await refused(
    "OptionRequired",
    "requires option: repo1-s3-endpoint",
    () => archivePushOptions(configure("--stanza=main archive-push x", file), ["x"]),
  );
});

const notHere: ReadonlyArray<readonly [what: string, file: string, words: string]> = [
  ["repo1-host", "[global]\nrepo1-host=h\n", "backup"],
  ["pg1-host", "[main]\npg1-host=h\n", "backup"],
  ["pg2-host", "[main]\npg2-host=h\npg2-path=/pg2\n", "backup"],
];
for (const [what, file, words] of notHere) {
  Deno.test(`${what} is refused by name, not ignored`, async () => {
    await refused(
      "OptionInvalidValue",
      `${what} is not supported by this version`,
      () => backupOptions(configure(`--stanza=main ${words}`, file + PG)),
    );
  });
}

Deno.test("restore by the state of a store at a time is refused", async () => {
  await refused(
    "OptionInvalidValue",
    "repo-target-time is not supported",
    () => infoOptions(configure("--repo=1 --repo-target-time=2026-01-01 info", PG)),
  );
});

const compatibleErrors: ReadonlyArray<readonly [line: string, part: string]> = [
  ["job-retry=9999", "allowed is 0 to 360"],
  ["protocol-timeout=8d", "allowed is 100ms to 1w"],
  ["repo1-bundle=y\nrepo1-bundle-limit=abc", "a number is expected"],
  ["repo1-bundle=y\nrepo1-bundle-limit=1KiB", "allowed is 8KiB to 1PiB"],
  ["resume=maybe", "allowed are y and n"],
  ["repo1-host=h\nrepo1-host-type=http", "allowed are ssh, tls"],
  ["buffer-size=100000", "allowed are 16KiB, 32KiB"],
];
for (const [lines, part] of compatibleErrors) {
  Deno.test(`the value ${lines.split("\n").at(-1)} is refused with file and line`, async () => {
    const error = await refused(
      "OptionInvalidValue",
      part,
      () => configure("--stanza=main backup", `[global]\n${lines}\n${PG}`),
    );
    assertIncludes(error.message, `(test.conf:${lines.split("\n").length + 1} [global])`);
  });
}

Deno.test("switches that change nothing here take no following word for their value", () => {
  const { command, options } = parseCommandLine(["--repo1-hardlink", "--no-resume", "--stop-auto", "backup"]);
  assertEquals([command, options.get("repo1-hardlink")?.texts, options.get("resume")?.negated], [
    "backup",
    ["y"],
    true,
  ]);
});

const indexless: ReadonlyArray<readonly [string, () => unknown]> = [
  [" at line 2 of 'test.conf'", () => configure("--stanza=main backup", `[global]\nrepo-bundle=y\n${PG}`)],
  [
    " (environment variable PGBACKREST_PG_PATH)",
    () => configure("--stanza=main backup", PG, { PGBACKREST_PG_PATH: "/x" }),
  ],
  ["", () => parseCommandLine(["--repo-bundle", "backup"])],
  ["", () => parseCommandLine(["--no-repo-bundle", "backup"])],
];
for (const [where, action] of indexless) {
  Deno.test(`an option without its index is an error${where || " on the command line"}`, async () => {
    const error = await refused("OptionInvalid", "requires an index", action);
    assert(error.message.endsWith(`requires an index${where}`), error.message);
    assertIncludes(error.hint!, /add the required index, e\.g\. (repo|pg)1-/);
  });
}

Deno.test("an index that is out of range is told with file and line", async () => {
  await refused(
    "OptionInvalid",
    "option 'repo257-path' index must be between 1 and 256 at line 2 of 'test.conf'",
    () => configure("--stanza=main backup", `[global]\nrepo257-path=/x\n${PG}`),
  );
  await refused("OptionInvalid", "between 1 and 256", () => parseCommandLine(["--repo999-pat=/x", "info"]));
});

Deno.test("help and version take the words of a shell alias; --help tells about the command wherever it stands", () => {
  assertEquals(
    parseCommandLine("--config=/x --stanza=y --log-level-console=info version".split(" ")).command,
    "version",
  );
  assertEquals(parseCommandLine("--stanza=y help backup".split(" ")).parameters, ["backup"]);
  assertEquals(parseCommandLine("--help backup".split(" ")).parameters, ["backup"]);
  assertEquals(parseCommandLine("--stanza=y push --help".split(" ")).parameters, ["archive-push"]);
});

Deno.test("values belong to commands: output and type", async () => {
  await refused("OptionInvalidValue", "allowed are text, num", () => configure("--output=json version"));
  await refused("OptionInvalidValue", "allowed are text, json", () => configure("--output=num info"));
  await refused("OptionInvalidValue", "allowed are full, diff, incr", () => configure("--type=xid info"));
  await refused(
    "OptionInvalidValue",
    "allowed are default, preserve",
    () => configure("--stanza=main --type=full restore", PG),
  );
});

Deno.test("a missing option says where to write it, and that the stanza may not exist", async () => {
  const inFile = await refused(
    "OptionRequired",
    "set pg1-path in section [nope]",
    () => backupOptions(configure("--stanza=nope backup", PG)),
  );
  assertIncludes(inFile.hint!, "does this stanza exist?");
  const onLine = await assertThrows<WalferryError>(() => configure("backup", PG).missing("stanza"));
  assertEquals(onLine.hint, "add --stanza=<value> to the command line.");
});

Deno.test("settings that contradict each other are told", () => {
  const old = configure("--stanza=main backup", `[global]\ncompress=n\ncompress-type=lz4\n${PG}`);
  assertEquals([old.warnings.length, backupOptions(old).compress.type], [1, "lz4"]);
  assertIncludes(old.warnings[0]!, "should not both be set");
  assertEquals(backupOptions(configure("--stanza=main backup", `[global]\ncompress=n\n${PG}`)).compress.type, "none");
  const twice = configure("--stanza=main --link-map=a=/b --link-map=a=/c restore", PG);
  assertEquals([twice.warnings.length, twice.hash("link-map").get("a")], [1, "/c"]);
});

Deno.test("without archive-check there is nothing to check of archive_mode, and offline neither", () => {
  const checks = (words: string, file = "") => {
    const { archiveCheck, archiveCopy, archiveModeCheck } = backupOptions(
      configure(`--stanza=main ${words} backup`, file + PG),
    );
    return [archiveCheck, archiveCopy, archiveModeCheck];
  };
  const copy = "[global]\narchive-copy=y\n";
  assertEquals(checks("", copy), [true, true, true]);
  assertEquals(checks("--no-online", copy), [false, false, false]);
  assertEquals(checks("--no-archive-check", copy), [false, false, false]);
  assertEquals(
    archivePushOptions(configure("--stanza=main --no-archive-check archive-push x", PG), ["x"]).modeCheck,
    false,
  );
});

Deno.test("a relative --config reaches restore_command as an absolute path, with quotes where a shell needs them", () => {
  assertIncludes(
    restoreCommandText(configure("--config=a/b.conf --stanza=main --cmd=wf restore", PG)),
    `wf --config=${Deno.cwd()}/a/b.conf --stanza=main archive-get %f "%p"`,
  );
  // The server of a drill has the variable, and another directory.
  const drilled = configure("--stanza=main drill", PG, { PGBACKREST_CONFIG: "a/b.conf" });
  assertIncludes(drillRestoreCommandText(drilled, "/d", "/s"), ` --config=${Deno.cwd()}/a/b.conf --pg1-path=/d `);
  const { options } = parseCommandLine(["--stanza=main", '--lock-path=/a b$(c)`d`"e\\%', "restore"]);
  const config = Configuration.make({
    command: "restore",
    commandLine: { command: "restore", parameters: [], options },
    environment: {},
    lines: parseConfig(PG, "f"),
  });
  assertIncludes(restoreCommandText(config), '"--lock-path=/a b\\$(c)\\`d\\`\\"e\\\\%%" --stanza=main');
});

/** What config-check prints. */
async function checked(words: string, file: string, environment: Record<string, string> = {}): Promise<string> {
  let printed = "";
  const context = { log: recordingLog(), output: (text: string) => printed += text } as unknown as CommandContext;
  await withFiles({ "c.conf": file }, async (root) => {
    const args = [`--config=${root}/c.conf`, ...words.split(" ")];
    const invocation = { args, invokedName: "walferry", environment };
    const commandLine = parseCommandLine(args);
    const config = await loadConfiguration("config-check", commandLine, invocation);
    await configCheck(config, commandLine.parameters[0], invocation, context).finally(() => {
      printed = printed.replaceAll(root, "");
    });
  });
  return printed;
}

Deno.test("config-check shows each value with its source, and no secret", async () => {
  const file =
    `[global]\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=xyzzy\nprotocol-timeout=1h\n[global:backup]\nprocess-max=3\n${PG}`;
  const text = await checked("--stanza=main config-check backup", file, { WALFERRY_COMPRESS_TYPE: "zst" });
  const row = (name: string) => text.split("\n").find((line) => line.startsWith(`${name} `))?.split(/ {2,}/);
  assertEquals(row("repo1-cipher-pass"), ["repo1-cipher-pass", "<redacted>", "/c.conf:3 [global]"]);
  assertEquals(row("process-max"), ["process-max", "3", "/c.conf:6 [global:backup]"]);
  assertEquals(row("compress-type"), ["compress-type", "zst", "environment variable WALFERRY_COMPRESS_TYPE"]);
  assertEquals(row("protocol-timeout"), ["protocol-timeout", "1h", "/c.conf:4 [global]"]);
  assertEquals(row("start-fast"), ["start-fast", "n", "default"]);
  assertEquals(row("link-all"), undefined);
  assert(!text.includes("xyzzy"));
  const json = JSON.parse(await checked("--stanza=main --output=json config-check restore", file));
  assertEquals(json.find(({ name }: { name: string }) => name === "allow-root").value, "y");
});

Deno.test("config-check ends as the command would", async () => {
  await refused("OptionRequired", "pg1-path", () => checked("--stanza=nope config-check backup", PG));
  await refused("OptionRequired", "stanza", () => checked("config-check backup", PG));
  await refused("CommandInvalid", "bogus", () => checked("config-check bogus", PG));
  await refused("OptionRequired", "repo1-s3-bucket", () => checked("config-check", `[global]\nrepo1-type=s3\n`));
  await checked("--stanza=main config-check check", PG);
});

Deno.test("every dependency names an option that stands earlier in the table", () => {
  const seen = new Set<string>();
  for (const option of OPTIONS.values()) {
    const needed = option.depends?.option;
    // `type` and `target` are read from what was written: they are on the command line only.
    if (needed !== undefined && needed !== "type") assert(seen.has(needed), `${option.name} needs ${needed}`);
    for (const value of option.depends?.values ?? []) {
      const { allowed, type } = OPTIONS.get(needed!)!;
      assert(type === "boolean" ? "yn".includes(value) : allowed!.includes(value), `${option.name}: ${value}`);
    }
    seen.add(option.name);
  }
});

Deno.test("no older name is another option's name", () => {
  const names = [...OPTIONS.values()].flatMap(({ name, group, oldNames = [] }) => [
    group === undefined ? name : name.replace(`${group}-`, `${group}?-`),
    ...oldNames,
  ]);
  assertEquals(names.length, new Set(names).size);
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`completion for ${shell} knows every command and option and no secret`, () => {
    const script = completionScript(shell);
    for (const command of COMMAND_NAMES.filter((name) => !COMMANDS[name].hidden)) {
      assertIncludes(script, new RegExp(`\\b${command}\\b`));
      for (const { name, group, secure } of optionsOf(command).flatMap(([, options]) => options)) {
        const typed = group === undefined ? name : name.replace(group, `${group}1`);
        // Some names begin like others.
        assertEquals(new RegExp(`${typed}(?![a-z-])`).test(script), !secure, typed);
      }
    }
  });
}

Deno.test("output to a slow reader is complete, to one that is gone an error", async () => {
  const written: number[] = [];
  let full = false;
  writeFully({
    writeSync(bytes) {
      full = !full;
      if (full) throw new Deno.errors.WouldBlock("try again");
      const taken = bytes.subarray(0, 3);
      written.push(...taken);
      return taken.length;
    },
  }, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  assertEquals(written, [1, 2, 3, 4, 5, 6, 7, 8]);
  await assertThrows(() =>
    writeFully({
      writeSync() {
        throw new Deno.errors.BrokenPipe("gone");
      },
    }, Uint8Array.of(1)), (error) => assert(error instanceof Deno.errors.BrokenPipe));
});

Deno.test("notes on backups may stand in a file", () => {
  const config = configure("--stanza=main backup", `[global:backup]\nannotation=by=cron\nannotation=host=a\n${PG}`);
  assertEquals([config.warnings, [...backupOptions(config).annotations]], [[], [["by", "cron"], ["host", "a"]]]);
});

Deno.test("a name of a note that pgBackRest could not read is refused; its removal and any text are not", async () => {
  for (const name of ['a"b', "a\\b", "a\tb", "a\nb", "a\x1bb"]) {
    for (const command of ["backup", "annotate"] as const) {
      const set = command === "annotate" ? ["--set=x"] : [];
      const config = Configuration.make({
        command,
        commandLine: parseCommandLine(["--stanza=main", ...set, `--annotation=${name}=text`, command]),
        environment: {},
        lines: parseConfig(PG, "test.conf"),
      });
      await refused(
        "OptionInvalidValue",
        "names of notes hold no quotation marks",
        () => command === "backup" ? backupOptions(config) : annotateOptions(config),
      );
    }
  }
  const kept = configure("--stanza=main backup", `[global:backup]\nannotation=a=x"\\y\nannotation=b=\n${PG}`);
  assertEquals([...backupOptions(kept).annotations], [["a", 'x"\\y']]);
});

/** Whether a process has ended; one that nobody asks for what it ended with is still listed. */
function hasEnded(pid: string): boolean {
  try {
    return /^State:\tZ/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

Deno.test("a command that prints a passphrase holds nobody up, and fails only who needs it", async () => {
  const encrypted = (key: number, command: string) =>
    `repo${key}-path=/r${key}\nrepo${key}-cipher-type=aes-256-cbc\nrepo${key}-cipher-pass-command=${command}\n`;
  const cipherWith = async (root: string, file: string, ...words: string[]) => {
    await Deno.writeTextFile(`${root}/c.conf`, `[global]\n${file}[main]\npg1-path=/pg\n`);
    const args = [`--config=${root}/c.conf`, "--stanza=main", ...words, "info"];
    const config = await loadConfiguration("info", parseCommandLine(args), {
      args,
      invokedName: "walferry",
      environment: {},
    });
    return repositories(config).map(({ cipher }) => cipher);
  };
  await withFiles({}, async (root) => {
    const hanging = `sleep 600 & echo $! >${root}/pid; sleep 600`;
    await refused(
      "Execute",
      "the command of repo1-cipher-pass-command did not end within 0.5 s",
      () => cipherWith(root, encrypted(1, hanging), "--io-timeout=500ms"),
    );
    const pid = (await Deno.readTextFile(`${root}/pid`)).trim();
    await until("the end of what the command had started", () => hasEnded(pid));
    // Somebody who stays and holds the output.
    const startMs = performance.now();
    const plain = { type: "aes-256-cbc", passphrase: "a secret" } as const;
    assertEquals(await cipherWith(root, encrypted(1, `sleep 15 & echo 'a secret'`)), [plain]);
    assert(performance.now() - startMs < 10_000, "somebody was waited for");
    const two = encrypted(1, "echo 'a secret'") + encrypted(2, "exit 3");
    assertEquals(await cipherWith(root, two, "--repo=1"), [plain]);
    await refused(
      "Execute",
      "the command of repo2-cipher-pass-command ended with exit code 3",
      () => cipherWith(root, two),
    );
    await refused("OptionInvalidValue", "is too long", () => cipherWith(root, encrypted(1, "yes")));
    await refused(
      "OptionInvalidValue",
      "has more than one line",
      () => cipherWith(root, encrypted(1, "echo a; echo b")),
    );
  });
});
