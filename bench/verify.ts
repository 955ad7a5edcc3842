/**
 * `verify` beside the real pgbackrest over one repository that the latter wrote, in one run, as ratios: everything is read by both.
 *
 * Arguments: size of the database in gigabytes, default 1.
 */
import { runAs, TestFolder } from "../tests/support/accounts.ts";
import { archiveWith } from "../tests/support/interop_story.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { TestStanza } from "../tests/support/programs.ts";
import { compare, line } from "./measure.ts";
import { fill } from "./rows.ts";

const ROUNDS = 5;
const REPOSITORIES = [
  { compressType: "none", bundle: "n" },
  { compressType: "zst", bundle: "y" },
  { compressType: "gz", bundle: "n" },
  { compressType: "lz4", bundle: "y" },
  { compressType: "zst", bundle: "y", cipherPass: "secret" },
] as const;

const gigabytes = Number(Deno.args[0] ?? 1);
await using folder = await TestFolder.make();
await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'true'" });
await cluster.start();
await fill(cluster, gigabytes);
for (const [at, { compressType, bundle, ...rest }] of REPOSITORIES.entries()) {
  const stanza = await TestStanza.make(folder, cluster, {
    name: `verify-${at}`,
    repositories: [{ ...rest, options: { bundle } }],
    global: { "compress-type": compressType, "process-max": "2", "log-level-console": "off", "archive-timeout": "60s" },
  });
  await stanza.must("pgbackrest", ["stanza-create"]);
  await archiveWith(cluster, stanza, "pgbackrest");
  await stanza.must("pgbackrest", ["--type=full", "backup"]);
  // WAL as it comes between backups: a twentieth of the rows changes.
  await cluster.sql("update orders set note = 'seen ' || note where id % 20 = 0");
  await stanza.must("pgbackrest", ["--type=incr", "backup"]);
  const command = (program: "walferry" | "pgbackrest") => stanza.commandLine(program, "verify").split(" ");
  const [ours, peer] = await compare([{ command: command("walferry") }, { command: command("pgbackrest") }], ROUNDS);
  const size = (await runAs(["du", "-sh", stanza.repositories[0]!])).split("\t")[0];
  const how = [compressType, ...(bundle === "y" ? ["bundles"] : []), ...("cipherPass" in rest ? ["encrypted"] : [])];
  console.log(line(`verify, ${size} stored, ${how.join(", ")}`, ours!, peer));
  await runAs(["rm", "-r", stanza.repositories[0]!]);
}
