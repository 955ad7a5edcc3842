/** Command line, environment and files: which wins, what is refused, and in which words (behaviour spec §1). */
import { type CommandLine, parseCommandLine } from "../../src/cli/command_line.ts";
import { COMMAND_NAMES } from "../../src/cli/commands.ts";
import { type ConfigPlaces, defaultPlaces, parseConfig, readConfigFiles } from "../../src/cli/config_file.ts";
import { Configuration, type ConfigurationSources } from "../../src/cli/configuration.ts";
import { describeOptions } from "../../src/cli/begin_line.ts";
import { COMMAND_HELP, optionHelp } from "../../src/cli/option_help.ts";
import { nearestOption, optionByPrefix, optionNamed } from "../../src/cli/option_name.ts";
import { OPTIONS } from "../../src/cli/option_table.ts";
import { parseSize, parseTime } from "../../src/cli/option_value.ts";
import { describeSource } from "../../src/cli/resolve.ts";
import {
  archivePushOptions,
  backupOptions,
  rekeyOptions,
  repositories,
  restoreOptions,
  stanzaDeleteOptions,
} from "../../src/cli/typed_options.ts";
import { restoreCommandText } from "../../src/cli/restore_command.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { generatedFiles } from "../../build/generate_docs.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

/** A configuration from words, file text and variables. */
function configure(words: string, file = "", environment: Record<string, string> = {}): Configuration {
  const commandLine: CommandLine = parseCommandLine(words.split(" ").filter(Boolean));
  const sources: ConfigurationSources = {
    command: commandLine.command!,
    commandLine,
    environment,
    lines: parseConfig(file, "test.conf"),
  };
  return Configuration.make(sources);
}

async function refused(kind: ErrorKind, part: string, action: () => unknown): Promise<WalferryError> {
  const error = await assertThrows<WalferryError>(action);
  assertEquals(error.kind, kind, error.text);
  assertIncludes(error.text, part);
  return error;
}

const PG = "[main]\npg1-path=/pg\n";

Deno.test("the command line wins over the environment, that over the file, that over the default", () => {
  const file = `[global]\ncompress-type=lz4\n${PG}`;
  const of = (words: string, environment: Record<string, string> = {}, text = file) =>
    configure(`--stanza=main ${words} backup`, text, environment).option("compress-type")!;
  assertEquals([of("", {}, PG).value, of("", {}, PG).source.kind], ["gz", "default"]);
  assertEquals(of("").value, "lz4");
  assertEquals(of("", { PGBACKREST_COMPRESS_TYPE: "bz2" }).value, "bz2");
  assertEquals(of("", { PGBACKREST_COMPRESS_TYPE: "bz2", WALFERRY_COMPRESS_TYPE: "none" }).value, "none");
  assertEquals(of("--compress-type=zst", { WALFERRY_COMPRESS_TYPE: "none" }).value, "zst");
  assertEquals(of("--reset-compress-type", { WALFERRY_COMPRESS_TYPE: "none" }).value, "gz");
  assertEquals(describeSource(of("").source), "test.conf:2 [global]");
});

Deno.test("in a file the most special section wins", () => {
  const lines = [
    "[global]",
    "process-max=1",
    "[global:backup]",
    "process-max=2",
    "[main]",
    "pg1-path=/pg",
    "process-max=3",
    "[main:backup]",
    "process-max=4",
    "[other]",
    "process-max=9",
  ];
  const value = (text: string, words = "--stanza=main backup") => configure(words, text).number("process-max");
  assertEquals(value(lines.join("\n")), 4);
  assertEquals(value(lines.join("\n"), "--stanza=main restore"), 3);
  assertEquals(value(lines.slice(0, 6).join("\n")), 2);
  assertEquals(value(lines.slice(0, 2).join("\n")), 1);
  assertEquals(configure("--stanza=main backup", lines.join("\n")).stanzaSections, ["main", "other"]);
});

const lineErrors: ReadonlyArray<readonly [words: string, kind: ErrorKind, part: string]> = [
  ["--stanza", "OptionInvalid", "requires a value"],
  ["-x info", "OptionInvalid", "invalid option '-x'"],
  ["-- info", "OptionInvalid", "invalid option '--'"],
  ["--bogus info", "OptionInvalid", "invalid option '--bogus'"],
  ["--stanzza=x info", "OptionInvalid", "did you mean --stanza?"],
  ["--repo1-pth=/x info", "OptionInvalid", "did you mean --repo1-path?"],
  ["--repo1-cipher-pass=x info", "OptionInvalid", "is not allowed on the command-line"],
  ["--stanza=a --stanza=b info", "OptionInvalid", "cannot be set multiple times"],
  ["--delta --no-delta restore", "OptionInvalid", "cannot be set and negated"],
  ["--no-delta --no-delta restore", "OptionInvalid", "cannot be negated multiple times"],
  ["--no-force restore", "OptionInvalid", "cannot be negated"],
  ["--no-dry-run expire", "OptionInvalid", "cannot be negated"],
  ["--repo257-path=/x info", "OptionInvalid", "index must be between 1 and 256"],
  ["--repo0-path=/x info", "OptionInvalid", "index must be between 1 and 256"],
  ["--log-level=info info", "OptionInvalid", "ambiguous"],
  ["--dry-run backup", "OptionInvalid", "not valid for command 'backup'"],
  [`--${"x".repeat(65)}=1 info`, "OptionInvalid", "longer than 64"],
  ["--stanza=main", "CommandRequired", "no command found"],
  ["inof", "CommandInvalid", "invalid command 'inof'"],
];
for (const [words, kind, part] of lineErrors) {
  Deno.test(`the command line '${words.slice(0, 40)}' is refused`, async () => {
    await refused(kind, part, () => parseCommandLine(words.split(" ")));
  });
}

Deno.test("the command line: prefixes, separate values, negation, lists, aliases", () => {
  const config = configure("--stanza main --proc=4 --no-online --exclude=a --exclude=b --type full backup", PG);
  assertEquals([config.number("process-max"), config.boolean("online"), config.list("exclude")], [4, false, [
    "a",
    "b",
  ]]);
  assertEquals(parseCommandLine(["push", "x"]).command, "archive-push");
  assertEquals(parseCommandLine([]).command, undefined);
  assertEquals(parseCommandLine(["backup", "--help"]), { command: "help", parameters: ["backup"], options: new Map() });
  assertEquals(parseCommandLine(["--version"]).command, "version");
  assertEquals(configure("--stanza=main --no-backup-standby backup", PG).string("backup-standby"), "n");
});

const valueErrors: ReadonlyArray<readonly [option: string, kind: ErrorKind, part: string]> = [
  ["--process-max=0", "OptionInvalidValue", "allowed is 1 to 999"],
  ["--process-max=x", "OptionInvalidValue", "a whole number is expected"],
  ["--compress-type=rar", "OptionInvalidValue", "allowed are none, bz2, gz, lz4, zst"],
  ["--archive-timeout=1y", "OptionInvalidValue", "a number is expected"],
  ["--archive-timeout=2w", "OptionInvalidValue", "allowed is 100ms to 1d"],
  ["--repo1-path=relative", "OptionInvalidValue", "a path must begin with /"],
  ["--repo1-path=/a//b", "OptionInvalidValue", "must not hold //"],
  ["--repo1-path=", "OptionInvalidValue", "must not be empty"],
  ["--delta=maybe", "OptionInvalidValue", "allowed are y and n"],
  ["--annotation=novalue", "OptionInvalid", "not valid for 'annotation' option"],
];
for (const [option, kind, part] of valueErrors) {
  Deno.test(`the value ${option} is refused`, async () => {
    await refused(kind, part, () => configure(`--stanza=main ${option} backup`, PG));
  });
}

Deno.test("sizes and times have the units of the format", () => {
  for (
    const [text, bytes] of [
      ["0", 0],
      ["8192", 8192],
      ["8KiB", 8192],
      ["2g", 2 ** 31],
      ["1TB", 2 ** 40],
      ["3mib", 3 * 2 ** 20],
      ["1.5G", undefined],
      ["x", undefined],
    ] as const
  ) assertEquals(parseSize(text), bytes, text);
  for (
    const [text, ms] of [["60", 60_000], ["500ms", 500], ["2H", 7_200_000], ["0.5", 500], ["1w", 604_800_000], [
      "1y",
      undefined,
    ], ["-1", undefined]] as const
  ) assertEquals(parseTime(text), ms, text);
});

const fileErrors: ReadonlyArray<readonly [what: string, text: string, part: string]> = [
  ["a key before any section", "x=y\n", "key/value found outside of section at line 1"],
  ["a line without =", "[global]\nnothing\n", "missing '=' in key/value at line 2"],
  ["an empty key", "[global]\n=x\n", "key is zero-length at line 2"],
  ["a section without an end", "[global\nx=y\n", "should end with ] at line 1"],
  ["an empty section", "[]\n", "empty section at line 1"],
  ["a NUL byte", "[global]\nx=\0\n", "NUL byte at line 2"],
];
for (const [what, text, part] of fileErrors) {
  Deno.test(`a file with ${what} is refused with file and line`, async () => {
    assertIncludes((await refused("Format", part, () => parseConfig(text, "/etc/x.conf"))).message, "'/etc/x.conf'");
  });
}

Deno.test("a file may have comments, white space and carriage returns; a value may hold # and =", () => {
  assertEquals(
    parseConfig("\r\n# c\r\n [global] \r\n a = b=c # d \r\n", "f").map((
      { section, key, value, line },
    ) => [section, key, value, line]),
    [["global", "a", "b=c # d", 4]],
  );
});

const warnings: ReadonlyArray<readonly [file: string, part: string]> = [
  ["[global]\ncompres-type=gz\n", "invalid option 'compres-type': did you mean 'compress-type'?"],
  ["[global]\nno-delta=y\n", "negate option 'no-delta'"],
  ["[global]\nreset-delta=y\n", "reset option 'reset-delta'"],
  ["[global]\nstanza=x\n", "command-line only option 'stanza'"],
  ["[global]\npg1-path=/x\n", "stanza-only option 'pg1-path' in global section"],
  ["[main:backup]\ndb-include=x\n", "option 'db-include' invalid for section 'main:backup'"],
];
for (const [file, part] of warnings) {
  Deno.test(`in a file ${JSON.stringify(file.split("\n")[1])} is a warning`, () => {
    const config = configure("--stanza=main backup", file + PG);
    assertEquals(config.warnings.length, 1);
    assertIncludes(config.warnings[0]!, part);
    assertIncludes(config.warnings[0]!, "'test.conf' line 2");
  });
}

Deno.test("what pgbackrest knows and this version does not need is read without complaint", () => {
  const file =
    "[global]\nrepo1-type=posix\nrepo1-s3-key=x\nrepo1-s3-bucket=b\nprotocol-timeout=1h\njob-retry=3\nprocess-max=2\nresume=n\nrepo1-bundle=n\nrepo1-storage-verify-tls=n\ntls-server-address=*\ntcp-keep-alive-idle=3\n";
  assertEquals(configure("--stanza=main backup", file + PG).warnings, []);
});

Deno.test("duplicates in one section are refused, lists excepted, and so are two spellings of one option", async () => {
  await refused(
    "OptionInvalid",
    "cannot be set multiple times at line 3 of 'test.conf'",
    () => configure("--stanza=main backup", "[global]\nprocess-max=1\nprocess-max=2\n" + PG),
  );
  await refused(
    "OptionInvalid",
    "duplicate options ('repo-path', 'repo1-path')",
    () => configure("--stanza=main backup", "[global]\nrepo-path=/a\nrepo1-path=/b\n" + PG),
  );
  assertEquals(configure("--stanza=main backup", "[global]\nexclude=a\nexclude=b\n" + PG).list("exclude"), ["a", "b"]);
});

Deno.test("older names mean the options of today", () => {
  const config = configure(
    "--stanza=main backup",
    "[global]\nrepo-path=/r\nretention-full=3\nhardlink=y\n[main]\ndb-path=/d\ndb-port=6000\n",
  );
  assertEquals([
    config.string("repo-path", 1),
    config.number("repo-retention-full", 1),
    config.string("pg-path", 1),
    config.number("pg-port", 1),
  ], ["/r", 3, "/d", 6000]);
  assertEquals(optionNamed("db2-path")?.name, "pg2-path");
  assertEquals(optionNamed("archive-queue-max")?.name, "archive-push-queue-max");
  assertEquals(optionByPrefix("repo2-retention-full-t")?.name, "repo2-retention-full-type");
  assertEquals(nearestOption("repo3-chiper-pass"), "repo3-cipher-pass");
});

Deno.test("the environment: lists with colons, unknown names, options of other commands", () => {
  const config = configure("--stanza=main backup", PG, {
    PGBACKREST_EXCLUDE: "a:b",
    WALFERRY_BOGUS: "1",
    PGBACKREST_DB_INCLUDE: "x",
    PGBACKREST_REPO1_CIPHER_TYPE: "aes-256-cbc",
    WALFERRY_REPO1_CIPHER_PASS: "secret",
  });
  assertEquals(config.list("exclude"), ["a", "b"]);
  assertEquals(config.warnings.length, 1);
  assertIncludes(config.warnings[0]!, "environment contains invalid option 'bogus'");
  assertEquals(repositories(config)[0]!.cipher, { type: "aes-256-cbc", passphrase: "secret" });
  assertEquals(configure("backup", PG, { WALFERRY_STANZA: "main" }).stanza, "main");
});

Deno.test("repositories: gaps, order, choice, equal paths", async () => {
  const file = `[global]\nrepo3-path=/c\nrepo1-path=/a\nrepo7-path=/g\n${PG}`;
  assertEquals(repositories(configure("--stanza=main info", file)).map(({ key }) => key), [1, 3, 7]);
  assertEquals(repositories(configure("--stanza=main --repo=3 info", file)).map(({ key }) => key), [3]);
  assertEquals(backupOptions(configure("--stanza=main backup", file)).repositories.map(({ key }) => key), [1]);
  assertEquals(backupOptions(configure("--stanza=main --repo=1,7 backup", file)).repositories.map(({ key }) => key), [
    1,
    7,
  ]);
  assertEquals(backupOptions(configure("--stanza=main --repo=all backup", file)).repositories.length, 3);
  await refused(
    "OptionInvalidValue",
    "configured repositories are 1, 3, 7",
    () => repositories(configure("--stanza=main --repo=2 info", file)),
  );
  await refused(
    "OptionInvalidValue",
    "'1,3' is not valid",
    () => repositories(configure("--stanza=main --repo=1,3 info", file)),
  );
  await refused(
    "OptionInvalidValue",
    "must be different",
    () => repositories(configure("--stanza=main info", file.replace("/c", "/a"))),
  );
  await refused(
    "OptionRequired",
    "repo1-cipher-pass",
    () => repositories(configure("--stanza=main info", `[global]\nrepo1-cipher-type=aes-256-cbc\n${PG}`)),
  );
  await refused(
    "OptionInvalidValue",
    "repo1-host is not supported",
    () => repositories(configure("--stanza=main info", `[global]\nrepo1-host=h\n${PG}`)),
  );
  await refused(
    "OptionRequired",
    "requires option: repo",
    () => stanzaDeleteOptions(configure("--stanza=main stanza-delete", file)),
  );
});

Deno.test("rekey takes the one repository that is encrypted, and asks which where there are several", async () => {
  const cipher = (key: number) => `repo${key}-cipher-type=aes-256-cbc\nrepo${key}-cipher-pass=x\n`;
  const keys = (words: string, global: string) =>
    rekeyOptions(configure(words, `[global]\nrepo1-path=/r1\nrepo2-path=/r2\n${global}${PG}`)).repositories.map((
      { key },
    ) => key);
  assertEquals(keys("rekey", cipher(2)), [2]);
  assertEquals(keys("--repo=1 rekey", cipher(1) + cipher(2)), [1]);
  assertEquals(keys("--repo=1 rekey", cipher(2)), [1]);
  for (const global of ["", cipher(1) + cipher(2)]) {
    await refused("OptionRequired", "requires option: repo", () => keys("rekey", global));
  }
});

Deno.test("required options and dependencies are told by name", async () => {
  await refused(
    "OptionRequired",
    "requires option: pg1-path",
    () => backupOptions(configure("--stanza=main backup", "")),
  );
  await refused(
    "OptionRequired",
    "requires option: stanza",
    () => archivePushOptions(configure("archive-push x", PG), ["x"]),
  );
  await refused(
    "OptionInvalid",
    "not valid without option 'type'",
    () => configure("--stanza=main --target=x restore", PG),
  );
  await refused(
    "OptionInvalid",
    "option 'archive-copy' not valid without option 'archive-check' in (y)",
    () => configure("--stanza=main --archive-copy --no-archive-check backup", PG),
  );
  assertEquals(
    backupOptions(configure("--stanza=main --no-archive-check backup", `${PG}\n[global]\narchive-copy=y\n`))
      .archiveCopy,
    false,
  );
  await refused(
    "OptionRequired",
    "requires option: target",
    () => restoreOptions(configure("--stanza=main --type=time restore", PG), "x"),
  );
  await refused(
    "OptionInvalidValue",
    "allowed are full, diff, incr",
    () => backupOptions(configure("--stanza=main --type=time backup", PG)),
  );
  await refused(
    "OptionInvalidValue",
    "out of range",
    () => backupOptions(configure("--stanza=main --compress-type=gz --compress-level=15 backup", PG)),
  );
});

for (const stanza of ["a/b", "..", ".", "-x", "x\ny"]) {
  Deno.test(`the stanza ${JSON.stringify(stanza)} is refused`, async () => {
    const commandLine = parseCommandLine([`--stanza=${stanza}`, "info"]);
    await refused(
      "OptionInvalidValue",
      "is not valid for 'stanza' option",
      () => Configuration.make({ command: "info", commandLine, environment: {}, lines: [] }),
    );
  });
}

Deno.test("the begin line shows what was set, sorted, and no secret", () => {
  const config = configure(
    "--stanza=main --exclude=b --exclude=a --type=full --no-online backup",
    `[global]\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=very-secret\n${PG}`,
  );
  assertEquals(
    describeOptions(config, []),
    "--exclude=b --exclude=a --no-online --pg1-path=/pg --repo1-cipher-pass=<redacted> --repo1-cipher-type=aes-256-cbc --stanza=main --type=full",
  );
});

Deno.test("restore_command carries what was given on the command line, never what came from a file, never a secret", () => {
  const config = configure(
    "--config=/x/y.conf --stanza=main --delta --repo=2 --process-max=4 --cmd=/usr/bin/wf restore",
    `[global]\nrepo2-path=/r\nrepo2-cipher-type=aes-256-cbc\nrepo2-cipher-pass=s\nlock-path=/l\n${PG}`,
  );
  assertEquals(restoreCommandText(config), '/usr/bin/wf --config=/x/y.conf --repo=2 --stanza=main archive-get %f "%p"');
});

Deno.test("which files are read follows the command line", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const directory of ["etc/conf.d", "alt/conf.d", "inc"]) {
      await Deno.mkdir(`${root}/${directory}`, { recursive: true });
    }
    const write = (path: string, value: string) => Deno.writeTextFile(`${root}/${path}`, `[global]\nfrom=${value}\n`);
    await write("etc/walferry.conf", "main");
    await write("etc/conf.d/b.conf", "d-b");
    await write("etc/conf.d/a.conf", "d-a");
    await write("etc/conf.d/ignored.txt", "no");
    await write("alt/walferry.conf", "alt");
    await write("alt/conf.d/x.conf", "alt-d");
    await write("inc/i.conf", "inc");
    await write("one.conf", "one");
    const places: ConfigPlaces[] = [{ file: `${root}/etc/walferry.conf`, includePath: `${root}/etc/conf.d` }];
    const read = async (selection: Parameters<typeof readConfigFiles>[0]) =>
      (await readConfigFiles(selection, places)).map(({ value }) => value);
    assertEquals(await read({}), ["main", "d-a", "d-b"]);
    assertEquals(await read({ config: `${root}/one.conf` }), ["one"]);
    assertEquals(await read({ config: `${root}/one.conf`, configPath: `${root}/alt` }), ["one", "alt-d"]);
    assertEquals(await read({ configIncludePath: `${root}/inc` }), ["main", "inc"]);
    assertEquals(await read({ config: `${root}/one.conf`, configIncludePath: `${root}/inc` }), ["one", "inc"]);
    assertEquals(await read({ configPath: `${root}/alt` }), ["alt", "alt-d"]);
    assertEquals(await read({ configIncludePath: `${root}/inc`, configPath: `${root}/alt` }), ["alt", "inc"]);
    assertEquals(await read({ config: false }), []);
    assertEquals(await read({ config: false, configIncludePath: `${root}/inc` }), ["inc"]);
    assertEquals(await read({ config: false, configPath: `${root}/alt` }), ["alt-d"]);
    await refused("FileMissing", "none.conf", () => read({ config: `${root}/none.conf` }));
    await refused("PathMissing", "nowhere", () => read({ configIncludePath: `${root}/nowhere` }));
    assertEquals(await readConfigFiles({}, [{ file: `${root}/no.conf`, includePath: `${root}/no.d` }]), []);
    await Deno.writeFile(`${root}/bin.conf`, Uint8Array.of(0xff, 0xfe, 0x5b));
    await refused("Format", "text that is not UTF-8 at line 1", () => read({ config: `${root}/bin.conf` }));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("the name the program is called by decides where its configuration is looked for", () => {
  assertEquals(defaultPlaces("walferry").map(({ file }) => file), [
    "/etc/walferry/walferry.conf",
    "/etc/pgbackrest/pgbackrest.conf",
  ]);
  assertEquals(defaultPlaces("pgbackrest"), [{
    file: "/etc/pgbackrest/pgbackrest.conf",
    oldFile: "/etc/pgbackrest.conf",
    includePath: "/etc/pgbackrest/conf.d",
  }]);
});

Deno.test("every option and every command has a help text, and nothing else has", () => {
  for (const name of OPTIONS.keys()) assert(optionHelp(name).length > 5, name);
  assertEquals(Object.keys(COMMAND_HELP).sort(), [...COMMAND_NAMES].sort());
});

Deno.test("what is made from the option table is up to date (deno task docs)", async () => {
  for (const [path, text] of generatedFiles()) {
    assertEquals(await Deno.readTextFile(path), text, `${path} is stale: run deno task docs`);
  }
});

Deno.test("a configuration of a hundred thousand lines is read in no time", () => {
  const file = `[global]\n${"# comment\n".repeat(50_000)}${
    Array.from({ length: 50_000 }, (_, index) => `exclude=path${index}\n`).join("")
  }${PG}`;
  const startMs = performance.now();
  assertEquals(configure("--stanza=main backup", file).list("exclude").length, 50_000);
  assert(performance.now() - startMs < 5000);
});
