/** Patroni makes replicas by the method that it has for pgBackRest, with walferry under the other's name and nothing else changed. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { Etcd, PATRONI_PROGRAMS, PatroniNode } from "../support/patroni.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", ...PATRONI_PROGRAMS],
  "patroni makes a replica from a backup, switches over to it, and archiving goes on from there",
  async () => {
    await using folder = await TestFolder.make();
    const program = `${await folder.directory("bin")}/pgbackrest`;
    await runAs(["ln", "-s", walferryPath, program]);
    await using etcd = await Etcd.start(folder);
    await using first = new PatroniNode(folder, etcd, "first");
    await using second = new PatroniNode(folder, etcd, "second");

    // Two hosts with a configuration of their own and one repository.
    const onFirst = await TestStanza.make(folder, first, { name: "conf1", global: { "compress-type": "zst" } });
    const repositories = onFirst.repositories.map((path) => ({ path }));
    const onSecond = await TestStanza.make(folder, second, { name: "conf2", repositories });
    const commands = (stanza: TestStanza) => {
      const call = `${program} --config=${stanza.config} --stanza=${stanza.name}`;
      return {
        archive: `${call} archive-push %p`,
        get: `${call} archive-get %f "%p"`,
        replica: `${call} --delta restore`,
      };
    };

    await first.start(commands(onFirst));
    await first.untilRole("master");
    const primary = TestCluster.running(folder, first, first.logPath);
    await onFirst.must("walferry", ["stanza-create"]);
    await primary.sql("create table kept as select g id from generate_series(1, 1000) g");
    await onFirst.must("walferry", ["--type=full", "backup"]);
    await primary.sql("insert into kept select g from generate_series(1001, 2000) g");
    await primary.archiveSegment();

    await second.start(commands(onSecond));
    await second.untilRole("replica");
    assertIncludes(await second.log(), "replica has been created using pgbackrest");
    const replica = TestCluster.running(folder, second, second.logPath);
    await replica.until("select (count(*) = 2000)::text from kept", "the rows behind the backup");

    await first.switchOver(second);
    await second.untilRole("master");
    await replica.sql("insert into kept select g from generate_series(2001, 3000) g");
    const segment = await replica.archiveSegment();
    assertEquals(segment.slice(0, 8), "00000002");
    await onSecond.must("walferry", ["--type=incr", "backup"]);
    await first.untilRole("replica");
    await primary.until("select (count(*) = 3000)::text from kept", "the rows of the new primary");
  },
);
