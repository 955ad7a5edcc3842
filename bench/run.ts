/**
 * Speed and memory of the executable beside the real pgbackrest, in one run, as ratios. Machines differ and are noisy: read the ratios.
 *
 * Arguments: sizes of databases for the backup lines in gigabytes, default 1.
 */
import { TestFolder } from "../tests/support/accounts.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { pgbackrestPath, TestStanza, walferryPath } from "../tests/support/programs.ts";
import { compare, line } from "./measure.ts";

const ROUNDS = 7;

if (Deno.uid() === 0) {
  // PostgreSQL and its commands do not run as root, and what is measured is what an ordinary account sees.
  const { testAccount } = await import("../tests/support/accounts.ts");
  const home = "/tmp/walferry-bench-deno";
  await Deno.mkdir(home, { recursive: true });
  await Deno.chown(home, testAccount!.uid, testAccount!.gid);
  const { code } = await new Deno.Command("setpriv", {
    args: [
      `--reuid=${testAccount!.uid}`,
      `--regid=${testAccount!.gid}`,
      "--clear-groups",
      Deno.execPath(),
      "run",
      "-A",
      "--no-lock",
      "bench/run.ts",
      ...Deno.args,
    ],
    env: { DENO_DIR: home, HOME: home },
  }).output().then((output) => {
    Deno.stdout.writeSync(output.stdout);
    Deno.stderr.writeSync(output.stderr);
    return output;
  });
  Deno.exit(code);
}

const sizes = Deno.args.length === 0 ? [1] : Deno.args.map(Number);
console.log(`medians of ${ROUNDS} runs in turn; whole processes, warm cache\n`);
await startUp();
await archivePush();
for (const gigabytes of sizes) await backup(gigabytes);

async function startUp(): Promise<void> {
  const [ours, peer] = await compare(
    [{ command: [walferryPath, "version"] }, { command: [pgbackrestPath, "version"] }],
    3 * ROUNDS,
  );
  console.log(line("version, cold process", ours!, peer));
}

/** One real segment, synchronously, to a posix repository. */
async function archivePush(): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'true'" });
  await cluster.start();
  await fill(cluster, 0.05);
  const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
  // A copy: the server recycles what it believes to be archived.
  const path = `${folder.path}/${segment}`;
  await Deno.copyFile(`${cluster.path}/pg_wal/${segment}`, path);
  for (const compressType of ["none", "zst", "lz4", "gz"]) {
    const stanza = await TestStanza.make(folder, cluster, {
      name: `push-${compressType}`,
      global: { "compress-type": compressType, "log-level-console": "off" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    const archive = `${stanza.repositories[0]}/archive/main/15-1`;
    const before = () =>
      Deno.remove(archive, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    const command = (program: "walferry" | "pgbackrest") =>
      stanza.commandLine(program, "archive-push", path).split(" ");
    const [ours, peer] = await compare([{ command: command("walferry"), before }, {
      command: command("pgbackrest"),
      before,
    }], ROUNDS);
    console.log(line(`archive-push, 16 MiB of WAL, ${compressType}`, ours!, peer));
  }
}

/** A full backup, and its peak memory. */
async function backup(gigabytes: number): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'true'" });
  await cluster.start();
  await fill(cluster, gigabytes);
  await cluster.sql("checkpoint");
  const size = await cluster.sql("select pg_size_pretty(sum(pg_database_size(oid))) from pg_database");
  for (const [compressType, repositories] of [["none", 1], ["zst", 1], ["zst", 2]] as const) {
    const stanza = await TestStanza.make(folder, cluster, {
      name: `backup-${compressType}-${repositories}`,
      repositories: Array.from({ length: repositories }, () => ({})),
      global: {
        "compress-type": compressType,
        "process-max": "2",
        "log-level-console": "off",
        "archive-check": "n",
        "expire-auto": "n",
      },
    });
    await stanza.must("walferry", ["stanza-create"]);
    const what = `full backup, ${size}, ${compressType}, ${repositories} ${
      repositories === 1 ? "repository" : "repositories"
    }`;
    const clean = async () => {
      for (const path of stanza.repositories) {
        for await (const { name } of Deno.readDir(`${path}/backup/main`)) {
          if (/^\d{8}/.test(name)) await Deno.remove(`${path}/backup/main/${name}`, { recursive: true });
        }
      }
    };
    const command = (program: "walferry" | "pgbackrest", ...args: string[]) =>
      stanza.commandLine(program, "--type=full", ...args, "backup").split(" ");
    const rounds = gigabytes > 2 ? 1 : 3;
    if (repositories === 1) {
      const [ours, peer] = await compare([{ command: command("walferry"), before: clean }, {
        command: command("pgbackrest"),
        before: clean,
      }], rounds);
      console.log(line(what, ours!, peer));
    } else {
      const [ours, first, second] = await compare([
        { command: command("walferry", "--repo=all"), before: clean },
        { command: command("pgbackrest", "--repo=1"), before: clean },
        { command: command("pgbackrest", "--repo=2") },
      ], rounds);
      const both = {
        medianMs: first!.medianMs + second!.medianMs,
        minMs: first!.minMs + second!.minMs,
        peakBytes: Math.max(first!.peakBytes, second!.peakBytes),
      };
      console.log(line(what, ours!, both));
    }
    await Deno.remove(`${folder.path}/backup-${compressType}-${repositories}`, { recursive: true });
  }
}

/** Rows like those of real tables: text, numbers, times, identifiers, some of it random. */
async function fill(cluster: TestCluster, gigabytes: number): Promise<void> {
  await cluster.sql(
    "create table if not exists orders (id bigint, customer uuid, at timestamptz, amount numeric, note text, raw bytea)",
  );
  const rows = Math.round(gigabytes * 3_400_000);
  for (let from = 0; from < rows; from += 500_000) {
    await cluster.sql(
      `insert into orders select g, gen_random_uuid(), now() - g * interval '1 second', (g % 100000) / 7.0,
      (array['delivered late','paid in full','returned by customer','address incomplete','second reminder sent'])[1 + g % 5] || ' ' || md5((g / 10)::text),
      decode(md5(random()::text) || md5(random()::text), 'hex') || decode(repeat('00', 64), 'hex')
      from generate_series(${from + 1}, ${Math.min(from + 500_000, rows)}) g`,
    );
  }
}
