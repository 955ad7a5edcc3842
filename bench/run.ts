/** Start-up and the synchronous push of a segment beside the real pgbackrest, in one run, as ratios. Backups and restores: backup.ts. */
import { TestFolder } from "../tests/support/accounts.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { pgbackrestPath, TestStanza, walferryPath } from "../tests/support/programs.ts";
import { compare, line } from "./measure.ts";
import { fill } from "./rows.ts";

const ROUNDS = 7;

console.log(`medians of ${ROUNDS} runs in turn; whole processes, warm cache\n`);
await startUp();
await archivePush();

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
  const path = await folder.file(segment, await Deno.readFile(`${cluster.path}/pg_wal/${segment}`), 0o600);
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
