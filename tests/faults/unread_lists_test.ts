/** Directories of this host that fail while they are listed: nothing is taken for absent, empty or past. */
import { runAs, type RunResult, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { UNREAD_LIST_NEEDS, whileListFails } from "../support/unread_list.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", ...UNREAD_LIST_NEEDS];
const FAILURE = "Input/output error";

/** A cluster whose WAL is archived by hand, and its stanza. */
async function scene(global: Readonly<Record<string, string>> = {}) {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false # walferry'",
  });
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, {}],
    global: { "compress-type": "none", ...global },
  });
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  await cluster.sql("select pg_create_restore_point('x')");
  const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
  return {
    folder,
    cluster,
    stanza,
    segment,
    spool: `${folder.path}/conf/spool`,
    failing: (directory: string, ...args: string[]): Promise<RunResult> =>
      whileListFails(folder, directory, stanza.command("walferry", ...args), "every"),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

testWith(NEEDS, "info, check and metrics do not say that nothing is owed, dropped or waiting", async () => {
  await using place = await scene({ "log-level-console": "warn" });
  const { cluster, segment, spool, failing } = place;
  const state = `${spool}/walferry/main`;
  await runAs(["mkdir", "-p", `${state}/debt/repo2`, `${state}/dropped`]);
  await runAs(["touch", `${state}/debt/repo2/${segment}`, `${state}/dropped/${segment}`]);
  for (const unread of ["debt", "debt/repo2", "dropped"]) {
    const text = `what repositories are owed is not known: unable to list path '${state}/${unread}': ${FAILURE}`;
    assertIncludes((await failing(`${state}/${unread}`, "info")).stdout, text);
    assertIncludes((await failing(`${state}/${unread}`, "--no-archive-check", "check")).stdout, text);
  }
  const waiting = `${cluster.path}/pg_wal/archive_status`;
  const told = await failing(waiting, "metrics");
  assertEquals(told.code, 0, told.stderr);
  assertIncludes(told.stdout, 'walferry_archive_status_readable{stanza="main"} 0');
  assert(!told.stdout.includes("walferry_archive_lag_segments{"), told.stdout);
});

testWith(
  NEEDS,
  "answers that another cluster left in the spool do not count because they could not be listed",
  async () => {
    await using place = await scene({ "archive-async": "y", "archive-async-linger": "0s" });
    const { cluster, stanza, segment, spool, failing } = place;
    const answers = `${spool}/archive/main`;
    await runAs(["mkdir", "-p", `${answers}/out`]);
    await runAs(["sh", "-c", `echo 1234567890 >${answers}/system-id; touch ${answers}/out/${segment}.ok`]);
    const push = ["archive-push", `${cluster.path}/pg_wal/${segment}`];
    const result = await failing(`${answers}/out`, ...push);
    assertIncludes(result.stdout, `unable to list path '${answers}/out': ${FAILURE}`);
    assertEquals(result.code, 53);
    await stanza.must("walferry", push);
    const archived = `${stanza.repositories[0]!}/archive/main/15-1/${segment.slice(0, 16)}`;
    assertIncludes(await runAs(["ls", archived]), segment);
  },
);

testWith(NEEDS, "segments that another cluster left in the queue do not become this one's unseen", async () => {
  await using place = await scene({ "archive-async": "y", "archive-async-linger": "0s" });
  const { folder, cluster, stanza, segment, spool, failing } = place;
  await stanza.must("walferry", ["--no-archive-async", "archive-push", `${cluster.path}/pg_wal/${segment}`]);
  const queue = `${spool}/archive/main`;
  await runAs(["mkdir", "-p", `${queue}/in`]);
  await runAs(["sh", "-c", `echo 1234567890 >${queue}/in-system-id; echo x >${queue}/in/${segment}`]);
  const result = await failing(`${queue}/in`, "archive-get", segment, `${folder.path}/got`);
  assertIncludes(result.stdout, `unable to fetch ahead: unable to list path '${queue}/in': ${FAILURE}`);
  assertEquals(result.code, 0);
  assertEquals(await Deno.readTextFile(`${queue}/in-system-id`), "1234567890\n");
});

testWith(NEEDS, "WAL that waits is not counted low by what could not be listed", async () => {
  await using place = await scene({ "archive-push-queue-max": "1GB" });
  const { cluster, segment, failing } = place;
  const waiting = `${cluster.path}/pg_wal/archive_status`;
  const result = await failing(waiting, "archive-push", `${cluster.path}/pg_wal/${segment}`);
  assertIncludes(result.stdout, `'${waiting}': ${FAILURE}`);
  assertEquals(result.code, 53);
});

testWith(
  NEEDS,
  "settings of an include directory that cannot be listed are not left out; stop --force says what it did not see",
  async () => {
    await using place = await scene();
    const { folder, stanza, failing } = place;
    const path = await folder.directory("conf.d");
    await folder.file("conf.d/more.conf", "[global]\nrepo1-cipher-type=aes-256-cbc\n");
    const checked = await failing(path, `--config-include-path=${path}`, "config-check", "backup");
    assertIncludes(checked.stderr, `unable to list file info for path '${path}': ${FAILURE}`);
    assertEquals(checked.code, 53);
    const locks = `${folder.path}/conf/lock`;
    const stopped = await failing(locks, "--force", "stop");
    assertIncludes(stopped.stdout, `unable to list path '${locks}': ${FAILURE}`);
    assertEquals(stopped.code, 53);
    await stanza.must("walferry", ["start"]);
  },
);

/** What the parts of a drill look for, each in a program of its own. */
const CALLS: Readonly<Record<string, { readonly file: string; readonly call: (path: string) => string }>> = {
  "the timeline that was followed": {
    file: "src/drill/archive_end.ts",
    call: (path) => `followedTimeline("${path}", 1)`,
  },
  "whether a place is a cluster's": {
    file: "src/drill/scratch.ts",
    call: (path) => `assertApart("${path}", { clusterPaths: [], repositoryPaths: [] })`,
  },
};

for (const [what, { file, call }] of Object.entries(CALLS)) {
  testWith(UNREAD_LIST_NEEDS, `a drill does not guess where a directory cannot be listed: ${what}`, async () => {
    await using folder = await TestFolder.make();
    const path = await folder.directory("listed");
    await folder.file("listed/00000002.history", "1\t0/3000000\tx\n");
    await folder.file("listed/PG_VERSION", "15\n");
    const code = `const made = await import("file://${Deno.cwd()}/${file}"); await made.${
      call(path)
    }; console.log("guessed")`;
    const command = [Deno.execPath(), "eval", "--no-check", "--ext=ts", code];
    const result = await whileListFails(folder, path, command);
    assertIncludes(result.stderr, FAILURE);
    assertEquals(result.stdout, "");
  });
}
