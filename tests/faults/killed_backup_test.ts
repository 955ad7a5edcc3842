/**
 * Backups of a running server that are killed at random moments: the next one reads again hardly more than what was not stored, and the result
 * is whole. `WALFERRY_RESUME_KILLS=all` tries every kind of backup at more moments.
 */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { random } from "../support/random.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3Options, startRgw } from "../support/s3_servers.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "strace"];
const TABLES = 40;
const ALL = Deno.env.get("WALFERRY_RESUME_KILLS") === "all";

interface Kind {
  readonly what: string;
  readonly cipherPass?: string;
  /** The repository is in S3. */
  readonly isDistant?: boolean;
  readonly global: Readonly<Record<string, string>>;
}

const KINDS: readonly Kind[] = [
  {
    what: "bundles and blocks, encrypted",
    cipherPass: "secret",
    global: { "repo1-bundle": "y", "repo1-bundle-size": "1MiB", "repo1-block": "y", "compress-type": "zst" },
  },
  {
    what: "bundles and blocks in S3",
    isDistant: true,
    global: { "repo1-bundle": "y", "repo1-bundle-size": "1MiB", "repo1-block": "y", "compress-type": "zst" },
  },
  { what: "single files", global: { "compress-type": "lz4" } },
];

/** Rows that do not compress well, in tables of some 1 MB. */
async function fill(cluster: TestCluster, salt: string): Promise<void> {
  await cluster.sql(`do $$ begin for at in 1..${TABLES} loop
    execute format('create table if not exists t%s(id int, v text)', at);
    execute format('insert into t%s select g, md5(''${salt}'' || g) || md5(g || ''${salt}'') from generate_series(1, 10000) g', at);
    end loop; end $$`);
  await cluster.sql("checkpoint");
}

/** Bytes of the files that the journal knows. */
async function notedBytes(journal: string): Promise<number> {
  try {
    const lines = (await Deno.readTextFile(journal)).split("\n").slice(1, -1);
    return lines.reduce((total, line) => total + (JSON.parse(line.slice(9)) as { sizeBytes: number }).sizeBytes, 0);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Bytes that a command reads from files below a path. */
async function bytesRead(trace: string, below: string): Promise<number> {
  let total = 0;
  for (const line of (await Deno.readTextFile(trace)).split("\n")) {
    const match = /\b(?:read|pread64)\(\d+<([^>]*)>.*= (\d+)$/.exec(line);
    if (match !== null && match[1]!.startsWith(`${below}/`)) total += Number(match[2]);
  }
  return total;
}

/** What a whole backup reads of the cluster. */
async function traced(stanza: TestStanza, cluster: TestCluster, trace: string, type: string) {
  const command = stanza.commandLine("walferry", "--log-level-console=detail", `--type=${type}`, "backup").split(" ");
  const options = ["-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", "trace=read,pread64", "-o", trace];
  const output = await runAs(["strace", ...options, ...command]);
  return { output, bytes: await bytesRead(trace, cluster.path) };
}

/** Begins a backup and kills it when its journal knows so many bytes; gives what it knew at its end. */
async function killAt(stanza: TestStanza, folder: TestFolder, type: string, bytes: number): Promise<number> {
  const journal = `${folder.path}/conf/spool/walferry/main/resume/repo1`;
  await runAs(["rm", "-f", `${folder.path}/pid`, journal]);
  const command = stanza.commandLine("walferry", `--type=${type}`, "backup");
  const run = execute(["bash", "-c", `echo $$ > ${folder.path}/pid; exec ${command}`]);
  await until(`${bytes} bytes to be stored`, async () => await notedBytes(journal) >= bytes, 120_000);
  Deno.kill(Number((await Deno.readTextFile(`${folder.path}/pid`)).trim()), "SIGKILL");
  assertEquals((await run).code, 137, "it was killed, and had not ended before");
  return await notedBytes(journal);
}

for (const { what, cipherPass, isDistant, global } of ALL ? KINDS : KINDS.slice(0, 1)) {
  testWith(
    [...NEEDS, ...isDistant ? RGW_PROGRAMS : []],
    `a backup that is killed is gone on with where it was (${what})`,
    async () => {
      const seed = Math.trunc(Math.random() * 1e6);
      const next = random(seed);
      await using folder = await TestFolder.make();
      await using cluster = await TestCluster.init(folder, {
        // What the server changes between two runs has to be read again.
        settings: "archive_mode = on\narchive_command = 'false'\nautovacuum = off",
      });
      await using server = isDistant ? await startRgw() : undefined;
      const repository = server === undefined
        ? { cipherPass }
        : { path: "/walferry", cipherPass, options: s3Options(server, await server.makeBucket()) };
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [repository],
        global: { ...global, "process-max": "2" },
      });
      await cluster.start();
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      for (const type of ALL ? ["full", "diff", "incr"] : ["full", "incr"]) {
        // A run that is killed twice, and then ends.
        const shares = ALL ? [next(80) / 100 + 0.05, 0.9] : [0.9];
        await fill(cluster, `${type}${seed}`);
        const trace = await folder.file(`trace-${type}`, "");
        const wholeBytes = Number(await cluster.sql("select sum(pg_database_size(oid)) from pg_database"));
        // Every table changed: that is what any backup copies. The catalogues hardly did.
        const toCopy = type === "full"
          ? wholeBytes
          : Number(await cluster.sql("select sum(pg_table_size(oid)) from pg_class where relname ~ '^t[0-9]+$'"));
        let known = 0;
        for (const share of shares) known = await killAt(stanza, folder, type, Math.max(share * toCopy, known));
        const { output, bytes } = await traced(stanza, cluster, trace, type);
        assertIncludes(output, "resumable backup ");
        const label = `seed ${seed}, ${type}: ${known} of ${toCopy} were stored, ${bytes} read`;
        if (Deno.env.get("WALFERRY_TEST_VERBOSE") === "1") console.log(label);
        assert(bytes <= 0.15 * toCopy, label);
        const verify = await stanza.walferry(["verify"]);
        assertEquals(verify.code, 0, verify.stdout);
      }
    },
  );
}
