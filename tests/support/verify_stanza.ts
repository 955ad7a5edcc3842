/** Repositories for the tests of verify, and its report as it is read by programs. */
import { assertEquals, assertIncludes } from "./assert.ts";
import { archiveWith, grow } from "./interop_story.ts";
import type { TestCluster } from "./postgres.ts";
import { TestStanza, walferryPath } from "./programs.ts";
import { execute, runAs, type TestFolder } from "./accounts.ts";

export interface ReportedFinding {
  readonly kind: string;
  readonly severity: "damage" | "notice";
  readonly path: string;
  readonly message: string;
  readonly backup?: string;
  readonly repaired?: string;
  readonly segment?: { readonly start: string; readonly stop: string };
}

export interface Report {
  readonly status: "ok" | "error";
  readonly archive: Array<{ id: string; read: number; wal: { checked: number; valid: number; missing: number } }>;
  readonly backup: Array<{ label: string; status: string; read: number; file: { checked: number; valid: number } }>;
  readonly finding: ReportedFinding[];
}

/** Runs verify on one repository, the first unless another one is named; the code comes with the report. */
export async function verifyReport(stanza: TestStanza, ...args: string[]): Promise<{ code: number; report: Report }> {
  const { code, stdout, stderr } = await stanza.walferry([
    "--output=json",
    "--log-level-console=error",
    "--process-max=2",
    ...(args.some((arg) => arg.startsWith("--repo=")) ? [] : ["--repo=1"]),
    ...args,
    "verify",
  ]);
  try {
    return { code, report: JSON.parse(stdout) as Report };
  } catch (error) {
    throw new Error(`verify ended with ${code} and no report:\n${stdout}${stderr}`, { cause: error });
  }
}

/** Nothing at all is found, not even something to note, by any of the three modes. */
export async function assertHealthy(stanza: TestStanza, ...args: string[]): Promise<Report> {
  let whole: Report | undefined;
  for (const mode of [["--quick"], ["--sample=30%"], []]) {
    const { code, report } = await verifyReport(stanza, ...args, ...mode);
    assertEquals(report.finding, [], mode.join());
    assertEquals([code, report.status], [0, "ok"], mode.join());
    for (const { label, status } of report.backup) assertEquals(status, "valid", label);
    whole = report;
  }
  return whole!;
}

/** The real program reads every file of every backup and finds each as its manifest says. */
export async function assertPeerFindsNothing(stanza: TestStanza, ...args: string[]): Promise<void> {
  const said = await stanza.must("pgbackrest", [...args, "--output=text", "--verbose", "verify"]);
  assertIncludes(said, "status: ok");
  assertEquals(/(missing|checksum invalid|size invalid|other): [1-9]/.test(said), false, said);
}

/** A stanza with a full, a differential and an incremental backup of pgbackrest, and a full one of walferry behind them. */
export async function makeFullStanza(
  folder: TestFolder,
  cluster: TestCluster,
  name: string,
  options: { cipherPass?: string; bundle?: "y" | "n"; block?: "y" | "n"; compressType: string },
): Promise<TestStanza> {
  const { cipherPass, bundle = "n", block = "n", compressType } = options;
  const stanza = await TestStanza.make(folder, cluster, {
    name,
    repositories: [{ cipherPass, options: { bundle, ...(block === "y" ? { block } : {}) } }],
    global: {
      ...(block === "y" ? { beta: "y" } : {}),
      "compress-type": compressType,
      "process-max": "2",
      "log-level-console": "warn",
    },
  });
  await stanza.must("pgbackrest", ["stanza-create"]);
  await archiveWith(cluster, stanza, "pgbackrest");
  // Too large for a bundle.
  if (block === "y") {
    await cluster.sql("create table large as select g id, md5(g::text) v from generate_series(1, 60000) g");
  }
  for (const type of ["full", "diff", "incr"]) {
    await stanza.must("pgbackrest", [`--type=${type}`, "backup"]);
    await grow(cluster);
    if (block === "y") await cluster.sql("update large set v = 'changed' where id = 5");
  }
  await archiveWith(cluster, stanza, "walferry");
  await stanza.must("walferry", ["--type=full", "backup"]);
  await grow(cluster);
  return stanza;
}

/** Every file of a repository, by path. */
export async function filesOf(root: string): Promise<string[]> {
  const listed = await runAs(["find", root, "-type", "f", "-printf", "%P\\n"]);
  return listed.split("\n").filter(Boolean).sort();
}

/** Makes the cluster go on with a new timeline, and archives some of it. */
export async function changeTimeline(cluster: TestCluster): Promise<void> {
  await cluster.stop();
  await runAs(["touch", `${cluster.path}/standby.signal`]);
  await cluster.start();
  await cluster.sql("select pg_promote()");
  await cluster.untilPrimary();
  await cluster.sql("checkpoint");
  await grow(cluster);
}

/** Runs ours without a stanza's options, under another name. */
export async function runUnder(name: string, folder: TestFolder, args: string[]): Promise<number> {
  const link = `${folder.path}/${name}`;
  await runAs(["ln", "-sfn", walferryPath, link]);
  return (await execute([link, ...args])).code;
}
