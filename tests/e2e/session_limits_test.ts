/** A server may limit how long sessions are idle and transactions take: a backup has its own limit (`db-timeout`). */
import { TestFolder } from "../support/accounts.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";

Deno.test("limits on sessions and transactions do not end a backup that waits for its checkpoint", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    major: 17,
    settings: "archive_mode = on\narchive_command = 'false'",
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster);
  await cluster.sql("create role keeper superuser login");
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await cluster.sql("alter role keeper set transaction_timeout = '300ms'");
  await cluster.sql("alter role keeper set idle_session_timeout = '300ms'");
  await cluster.sql("checkpoint");
  // Written a page at a time, with pauses of a tenth of a second.
  await cluster.sql("create table pages as select 1 id");
  await stanza.must("walferry", ["--pg1-user=keeper", "--no-start-fast", "backup"]);
});
