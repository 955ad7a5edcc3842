/**
 * Files, variables and words mean the same to both programs: the options that each says it begins with, and the code it ends with where
 * they are refused. What differs on purpose (codes of archive-get, root, --help) is in the unit tests.
 */
import { execute, type RunResult, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { pgbackrestPath, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

interface Case {
  readonly what: string;
  /** Lines of the file; `{root}` is the folder of the test. */
  readonly file?: string;
  readonly words?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: string;
}

const STANZA = "[main]\npg1-path={root}/pg\n";

/** Both programs get as far as their begin line. */
const UNDERSTOOD: readonly Case[] = [
  {
    what: "sections: the command's own before the plain one, the stanza's before global",
    file:
      "[global]\nprocess-max=1\nbuffer-size=64KiB\n[global:backup]\nprocess-max=2\nbuffer-size=128KiB\n[main]\nprocess-max=3\n[main:backup]\nprocess-max=4\n[other]\nprocess-max=5\n",
  },
  { what: "one section in two pieces", file: "[main]\nstart-fast=y\n[global]\nprocess-max=2\n[main]\nprocess-max=3\n" },
  { what: "comments, blanks and carriage returns", file: "# c\r\n[global]\r\n  process-max = 7 \t\r\n\r\n" },
  { what: "a value with # and =", file: "[global]\nspool-path=/x # y=z\nrepo1-path=/r#1=2\n" },
  { what: "bytes that are no UTF-8 in a comment", file: "# \u00ff\n[global]\nprocess-max=2\n" },
  {
    what: "variables before files, words before variables",
    file: "[global]\nprocess-max=2\ncompress-type=lz4\nbuffer-size=64KiB\n",
    environment: { PGBACKREST_PROCESS_MAX: "3", PGBACKREST_COMPRESS_TYPE: "bz2" },
    words: "--process-max=4",
  },
  { what: "lists in variables", environment: { PGBACKREST_EXCLUDE: "a:b" } },
  {
    what: "older names",
    file: "[global]\nrepo-path=/r\nretention-full=3\narchive-queue-max=1GB\n[main]\ndb-port=6000\n",
  },
  { what: "older names in variables", environment: { PGBACKREST_REPO_PATH: "/r" } },
  { what: "gaps in the numbers", file: "[global]\nrepo3-path=/c\nrepo7-path=/g\nrepo3-retention-full=1\n" },
  {
    what: "a number of which only options of another store stand somewhere",
    file: "[global]\nrepo1-path=/r\nrepo2-s3-bucket=b\nrepo2-s3-key=k\n",
  },
  { what: "block without bundle", file: "[global]\nrepo1-block=y\nrepo1-bundle-limit=8KiB\nbeta=y\n" },
  { what: "notes on backups", file: "[global]\nannotation=a=b\nannotation=c=d\n" },
  { what: "bundle", file: "[global]\nrepo1-bundle=y\nrepo1-bundle-limit=8KiB\n" },
  {
    what: "negation, reset, separate values, beginnings of names",
    file: "[global]\nprocess-max=3\nstart-fast=y\n",
    words: "--no-start-fast --reset-process-max --compress-ty lz4 --exclude=a --exclude b",
  },
  { what: "off", file: "[global]\narchive-check=n\nstart-fast=n\n" },
  { what: "values with blanks", words: "--exclude=a\u00a0b" },
  { what: "secrets", file: "[global]\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=xyzzy\n" },
  {
    what: "unknown names, command line options, stanza options in global, foreign options in a section of a command",
    file: "[global]\nbogus=1\nset=x\npg1-port=3\nno-delta=y\nreset-delta=y\n[main:backup]\nlink-all=y\nprocess-max=2\n",
    environment: { PGBACKREST_BOGUS: "1", PGBACKREST_NO_DELTA: "y" },
  },
  { what: "options of other commands", file: "[global]\nlink-all=y\nspool-path=/s\njob-retry=0\n" },
  { what: "empty lines at the end and no line feed", file: "[global]\nprocess-max=2\n\n\n  \nstart-fast=y" },
];

/** Both programs refuse, with one code. */
const REFUSED: readonly Case[] = [
  { what: "a key before any section", file: "x=y\n" },
  { what: "a line without =", file: "[global]\nnothing\n" },
  { what: "an empty key", file: "[global]\n=x\n" },
  { what: "a section that does not end", file: "[global\nx=y\n" },
  { what: "an empty value", file: "[global]\nrepo1-path=\n" },
  { what: "one option twice", file: "[global]\nprocess-max=1\nprocess-max=2\n" },
  { what: "one option under two names", file: "[global]\nrepo-path=/a\nrepo1-path=/b\n" },
  { what: "an index that is too large", file: "[global]\nrepo257-path=/x\n" },
  { what: "a missing index", file: "[global]\nrepo-bundle=y\n" },
  { what: "a missing index in a variable", environment: { PGBACKREST_REPO_BUNDLE: "y" } },
  { what: "an empty variable", environment: { PGBACKREST_REPO1_PATH: "" } },
  { what: "Y", file: "[global]\nneutral-umask=Y\n" },
  { what: "a relative path", file: "[global]\nrepo1-path=r\n" },
  { what: "two slashes", file: "[global]\nrepo1-path=/a//b\n" },
  { what: "a number out of range", file: "[global]\nprocess-max=1000\n" },
  { what: "a second cluster of which only the port is written", file: "[main]\npg2-port=5433\n" },
  { what: "no number", file: "[global]\nprocess-max=two\n" },
  { what: "a size out of its list", words: "--buffer-size=100000" },
  { what: "a size with a fraction", file: "[global]\nrepo1-bundle=y\nrepo1-bundle-limit=1.5MiB\n" },
  { what: "a value of an option that walferry does not use", file: "[global]\njob-retry=9999\n" },
  { what: "a value that is not in the list", words: "--compress-type=rar" },
  { what: "a type of another command", words: "--type=time" },
  { what: "an unknown option", words: "--bogus" },
  { what: "one dash", words: "-x" },
  { what: "two dashes alone", words: "--" },
  { what: "an option of another command", words: "--dry-run" },
  { what: "a secret on the command line", words: "--repo1-cipher-pass=x" },
  { what: "an option of a store that the repository is not in", words: "--repo1-s3-bucket=b" },
  { what: "an option twice", words: "--process-max=1 --process-max=2" },
  { what: "set and negated", words: "--no-start-fast --start-fast" },
  { what: "set and reset", words: "--process-max=1 --reset-process-max" },
  { what: "reset of an option of the command line", words: "--reset-force" },
  { what: "negation of one", words: "--no-force" },
  { what: "negation of a value", words: "--no-repo1-path" },
  { what: "reset with a value", words: "--reset-process-max=2" },
  { what: "a hash without =", words: "--annotation=novalue" },
  { what: "a repository that is not configured", words: "--repo=7" },
  {
    what: "a file that does not exist",
    words: "",
    environment: { PGBACKREST_CONFIG: "/nonexistent.conf" },
    command: "info",
  },
  { what: "an unknown command", command: "bogus" },
  { what: "a parameter too many", command: "backup extra" },
  { what: "a missing stanza", file: "[global]\nprocess-max=2\n", command: "--reset-repo1-path backup" },
  { what: "equal paths of repositories", file: "[global]\nrepo1-path=/r\nrepo2-path=/r\n" },
  { what: "a target without a type", words: "--target=x", command: "restore" },
  { what: "a type without its target", words: "--type=time", command: "restore" },
  { what: "a repository for stanza-create", words: "--repo=1", command: "stanza-create" },
  { what: "a set without a stanza", words: "--set=x", command: "--log-level-stderr=off info" },
];

/** Runs one program on a case in a folder of its own. */
async function runCase(program: string, folder: TestFolder, at: number, tested: Case): Promise<RunResult> {
  const { file = "", words = "", command = "backup", environment } = tested;
  const named = !tested.what.includes("without a stanza") && tested.what !== "a missing stanza";
  const text = `${file}${named ? `\n${STANZA}` : ""}`.replaceAll("{root}", folder.path);
  const bytes = Uint8Array.from(
    [...text].flatMap((letter) => letter === "\u00ff" ? [0xff] : [...new TextEncoder().encode(letter)]),
  );
  const config = await folder.file(`${at}.conf`, bytes);
  const all = [
    ...(environment?.PGBACKREST_CONFIG === undefined ? [`--config=${config}`] : []),
    ...(named ? ["--stanza=main"] : []),
    `--lock-path=${folder.path}/lock`,
    `--log-path=${folder.path}/log`,
    "--log-level-console=info",
    ...words.split(" ").filter(Boolean),
    ...command.split(" "),
  ];
  return await execute([program, ...all], { env: environment });
}

/**
 * The options of a begin line, but for the run's own number, what only pgbackrest writes there, and what a backup of walferry alone knows:
 * the spool, where its journal is.
 */
function beginOptions({ stdout, stderr, code }: RunResult): string[] {
  const line = /command begin [0-9.]+: (.*)/.exec(stdout)?.[1];
  assert(line !== undefined, `no begin line, code ${code}:\n${stdout}${stderr}`);
  return line.split(/ (?=--)/).filter((word) => !/^--(exec-id|reset|spool-path)/.test(word));
}

async function makeFolder(): Promise<TestFolder> {
  const folder = await TestFolder.make();
  for (const name of ["lock", "log", "pg"]) await folder.directory(name);
  return folder;
}

testWith(["pgbackrest"], "both programs begin a backup with the same options", async (test) => {
  await using folder = await makeFolder();
  for (const [at, tested] of UNDERSTOOD.entries()) {
    await test.step(tested.what, async () => {
      const ours = await runCase(walferryPath, folder, at, tested);
      const theirs = await runCase(pgbackrestPath, folder, at, tested);
      assertEquals(beginOptions(ours), beginOptions(theirs));
    });
  }
});

testWith(["pgbackrest"], "both programs refuse the same things with the same codes", async (test) => {
  await using folder = await makeFolder();
  for (const [at, tested] of REFUSED.entries()) {
    await test.step(tested.what, async () => {
      const ours = await runCase(walferryPath, folder, at, tested);
      const theirs = await runCase(pgbackrestPath, folder, at, tested);
      assert(theirs.code >= 25, `pgbackrest ended with ${theirs.code}:\n${theirs.stdout}${theirs.stderr}`);
      assertEquals(ours.code, theirs.code, `${ours.stdout}${ours.stderr}\n---\n${theirs.stdout}${theirs.stderr}`);
    });
  }
});
