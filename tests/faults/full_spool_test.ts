/**
 * A spool without room, by bytes and by files: PostgreSQL is told an error soon, with the reason, nothing is acknowledged that is not stored or
 * noted as owed, a recovery goes on, and archiving goes on by itself when there is room.
 */
import { execute, runAs, testAccount, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testAsRoot } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "mount", "umount", "pkill"];

interface Place {
  readonly cluster: TestCluster;
  readonly stanza: TestStanza;
  readonly spool: string;
  /** Segments that PostgreSQL was told are archived. */
  acknowledged(): Promise<string[]>;
  held(key: number): Promise<string[]>;
  owed(key: number): string[];
}

/** A cluster whose spool is a file system of its own that is small. */
async function story(
  mountOptions: string,
  global: Readonly<Record<string, string>>,
  run: (place: Place) => Promise<void>,
): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'\nwal_keep_size = '1GB'",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, {}],
    global: { "process-max": "2", "archive-timeout": "10s", "log-level-file": "detail", ...global },
  });
  const spool = `${folder.path}/conf/spool`;
  const owner = testAccount === undefined ? "" : `,uid=${testAccount.uid},gid=${testAccount.gid}`;
  await runAs(["mount", "-t", "tmpfs", "-o", `mode=0770,${mountOptions}${owner}`, "none", spool], { asSelf: true });
  try {
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.archiveSegment();
    await run({
      cluster,
      stanza,
      spool,
      acknowledged: async () => {
        const status = `${cluster.path}/pg_wal/archive_status`;
        return (await runAs(["ls", status])).split("\n").filter((name) => /^0{7}1\w{16}\.done$/.test(name))
          .map((name) => name.slice(0, 24));
      },
      held: async (key) =>
        (await runAs(["find", `${stanza.repositories[key - 1]}/archive`, "-name", "00000001*-*"])).split("\n")
          .filter(Boolean).map((path) => path.slice(path.lastIndexOf("/") + 1).slice(0, 24)),
      owed: (key) => {
        try {
          return [...Deno.readDirSync(`${spool}/walferry/main/debt/repo${key}`)].map(({ name }) => name);
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return [];
          throw error;
        }
      },
    });
  } finally {
    await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-(push|get):async`]);
    await cluster.stop("immediate");
    await runAs(["umount", "-l", spool], { asSelf: true });
  }
}

const switchWal = (cluster: TestCluster) =>
  cluster.sql("select pg_create_restore_point('x'); select pg_walfile_name(pg_switch_wal())");

for (
  const [what, mountOptions, fill] of [
    ["bytes", "size=512k", "dd if=/dev/zero of=$0/filler bs=4k 2>/dev/null; true"],
    ["files", "size=4m,nr_inodes=400", "for i in $(seq 500); do touch $0/filler$i 2>/dev/null; done; true"],
  ] as const
) {
  const makeFull = (spool: string) => runAs(["sh", "-c", fill, spool]);
  const makeRoom = (spool: string) => runAs(["sh", "-c", "rm -f $0/filler*", spool]);

  testAsRoot(
    NEEDS,
    `no room in the spool (${what}): PostgreSQL hears why, and everything is archived when there is room`,
    () =>
      story(mountOptions, { "archive-async": "y" }, async ({ cluster, stanza, spool, acknowledged, held }) => {
        await makeFull(spool);
        await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
        const segments: string[] = [];
        for (let round = 0; round < 5; round++) segments.push(await switchWal(cluster));
        await cluster.until("select failed_count > 0 from pg_stat_archiver", "the archiver to hear of it");
        await until("the reason in the log", async () => (await cluster.log()).includes("No space left on device"));
        const stored = await held(1);
        for (const name of await acknowledged()) {
          assert(stored.includes(name), `${name} is acknowledged, and not stored`);
        }
        await makeRoom(spool);
        await cluster.until(
          `select last_archived_wal >= '${segments.at(-1)}' from pg_stat_archiver`,
          "all to be archived",
          90_000,
        );
        for (const key of [1, 2]) {
          const there = await held(key);
          assertEquals(
            segments.filter((name) => !there.includes(name)),
            [],
            `repo${key}`,
          );
        }
      }),
  );

  for (const mode of ["y", "n"]) {
    testAsRoot(
      NEEDS,
      `no room in the spool (${what}), archive-async=${mode}: what cannot be noted as owed is not acknowledged`,
      () =>
        story(mountOptions, { "archive-async": mode, "archive-push-quorum": "1" }, async (place) => {
          const { cluster, stanza, spool, acknowledged, held, owed } = place;
          const away = stanza.repositories[1]!;
          await runAs(["mv", away, `${away}.away`]);
          const before = await cluster.archiveSegment();
          assert(owed(2).includes(before));
          await makeFull(spool);
          const segments: string[] = [];
          for (let round = 0; round < 4; round++) segments.push(await switchWal(cluster));
          await cluster.until("select failed_count > 2 from pg_stat_archiver", "the archiver to fail again and again");
          for (const name of segments) assertEquals((await acknowledged()).includes(name), false, name);
          assertEquals(owed(2).filter((name) => name.endsWith(".tmp")), [], "nothing piles up");
          await makeRoom(spool);
          await cluster.until(
            `select last_archived_wal >= '${segments.at(-1)}' from pg_stat_archiver`,
            "all to be archived",
            90_000,
          );
          for (const name of segments) assert(owed(2).includes(name), `${name} is not in repo2, and nobody knows`);
          await runAs(["mv", `${away}.away`, away]);
          await until("the debts to be paid", async () => {
            // Without a background process the next files bring the payment.
            if (mode === "n") await cluster.archiveSegment();
            return owed(2).length === 0;
          }, 60_000);
          assertEquals((await held(2)).sort(), (await held(1)).sort());
        }),
    );
  }

  testAsRoot(
    NEEDS,
    `no room in the spool (${what}): a recovery gets its segments without a queue`,
    () =>
      story(
        mountOptions,
        { "archive-async": "y", "archive-get-queue-max": "1MiB" },
        async ({ cluster, stanza, spool }) => {
          const segments: string[] = [];
          for (let round = 0; round < 3; round++) segments.push(await cluster.archiveSegment());
          await makeFull(spool);
          for (const segment of segments) {
            const destination = `${stanza.folder.path}/got`;
            const { code, stdout } = await stanza.walferry(["archive-get", segment, destination]);
            assertEquals(code, 0, stdout);
            assertEquals(Deno.readFileSync(destination), Deno.readFileSync(`${cluster.path}/pg_wal/${segment}`));
          }
          const absent = await stanza.walferry(["archive-get", "0000000100000000000000FF", "/tmp/x"]);
          assertEquals(absent.code, 1);
          assertIncludes(absent.stdout, "unable to find");
        },
      ),
  );
}
