/**
 * Asynchronous archiving and recovery as PostgreSQL drives them: one command after the other, each by a shell. This program beside pgbackrest
 * in one run, as ratios. The archiver and the startup process are played by a loop, so that nothing but the commands is measured.
 */
import { nextSegmentName } from "../src/format/wal_name.ts";
import { execute, runAs, sharedPlace, TestFolder } from "../tests/support/accounts.ts";
import { makeCertificates } from "../tests/support/certificates.ts";
import { DelayingProxy } from "../tests/support/delaying_proxy.ts";
import { FaultProxy } from "../tests/support/fault_proxy.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { TestStanza } from "../tests/support/programs.ts";
import { s3Options, s3TlsOptions, startRgw } from "../tests/support/s3_servers.ts";

type Program = "walferry" | "pgbackrest";
const PROGRAMS: readonly Program[] = ["pgbackrest", "walferry"];
const MIB = 1024 * 1024;
const PROCESS_MAX = 4;
/** Segments of a backlog: enough that starting does not count. */
const DRAINED = 150;
const ARCHIVED = "mv pg_wal/archive_status/%f.ready pg_wal/archive_status/%f.done";
const GLOBAL = {
  "compress-type": "zst",
  "process-max": String(PROCESS_MAX),
  "archive-async": "y",
  "log-level-console": "warn",
  "log-level-file": "off",
};
let stanzas = 0;

await using folder = await TestFolder.make();
const certificates = await makeCertificates(await folder.directory("tls", 0o755));
await using server = await startRgw(certificates, 9 * 1024 ** 3);
console.log(
  `shell loops as ${
    sharedPlace === "" ? "" : "the "
  }account of the tests; process-max ${PROCESS_MAX}; times per segment\n`,
);

const large = await makeScene("large", 16);
const small = await makeScene("small", 1);
const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  a: drains,
  b: steadyState,
  c: recoveries,
  d: requests,
  e: longRun,
  f: deadRepository,
  g: fullQueue,
};
// Names of parts as arguments run only those.
for (const [name, run] of Object.entries(PARTS)) if (Deno.args.length === 0 || Deno.args.includes(name)) await run();

/** A data directory that looks like a running cluster, and one segment of real WAL. */
interface Scene {
  readonly cluster: TestCluster;
  readonly segmentBytes: number;
  readonly template: string;
}

async function makeScene(name: string, segmentMib: number): Promise<Scene> {
  const cluster = await TestCluster.init(folder, { name, initdb: [`--wal-segsize=${segmentMib}`] });
  await cluster.start();
  await cluster.sql(
    "create table t as select g id, md5(g::text) v, now() + g * interval '1s' w from generate_series(1, 200000) g",
  );
  const first = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
  const template = `${folder.path}/${name}.wal`;
  await runAs(["cp", `${cluster.path}/pg_wal/${first}`, template]);
  await cluster.stop();
  await runAs(["touch", `${cluster.path}/postmaster.pid`, `${cluster.path}/recovery.signal`]);
  await runAs(["sh", "-c", `rm -f ${cluster.path}/pg_wal/0*`]);
  return { cluster, segmentBytes: segmentMib * MIB, template };
}

/** Names of segments; each round has its own. */
function names(count: number, segmentBytes: number, first = "000000010000000100000000"): string[] {
  const list = [first];
  while (list.length < count) list.push(nextSegmentName(list.at(-1)!, segmentBytes));
  return list;
}

/** Puts segments there as ready to be archived, all of the same real content under names of their own. */
async function makeReady({ cluster, template }: Scene, list: readonly string[]): Promise<void> {
  const script = `cd ${cluster.path}/pg_wal && rm -f 0* archive_status/* && ` +
    `for n in "$@"; do cp ${template} $n; touch archive_status/$n.ready; done`;
  await runAs(["bash", "-c", script, "x", ...list]);
}

function s3Repository(name: string, port: number, bucket: string) {
  return { path: `/${name}`, options: s3TlsOptions(server, bucket, certificates, port) };
}

async function makeStanza(
  scene: Scene,
  place: { port?: number; global?: Record<string, string> },
): Promise<TestStanza> {
  const name = `s${++stanzas}`;
  const repositories = place.port === undefined ? [{}] : [s3Repository(name, place.port, await server.makeBucket())];
  const stanza = await TestStanza.make(folder, scene.cluster, {
    name,
    repositories,
    global: { ...GLOBAL, ...place.global },
  });
  await stanza.must("walferry", ["--no-online", "stanza-create"]);
  return stanza;
}

/** `archive_command` with PostgreSQL's marks. */
async function archiveCommand(stanza: TestStanza, program: Program, fast = true): Promise<string> {
  if (program === "walferry" && fast) return (await stanza.must("walferry", ["archive-command"])).trim();
  return stanza.commandLine(program, "archive-push", "%p");
}

async function restoreCommand(stanza: TestStanza, program: Program): Promise<string> {
  if (program === "walferry") return (await stanza.must("walferry", ["restore-command"])).trim();
  return stanza.commandLine(program, "archive-get", "%f", '"%p"');
}

/** Runs a command for each name as PostgreSQL does, and gives the milliseconds per segment. */
async function loop(
  { cluster }: Scene,
  command: string,
  list: readonly string[],
  path: (name: string) => string,
  after = "",
) {
  const lines = list.map((name) => {
    const own = command.replaceAll("%f", name).replaceAll("%p", path(name));
    return `sh -c ${quote(own)} || { echo failed: ${name}; exit 1; }; ${after.replaceAll("%f", name)}`;
  });
  const script = `${folder.path}/loop.sh`;
  await Deno.writeTextFile(script, `cd ${cluster.path}\n${lines.join("\n")}\n`);
  const startMs = performance.now();
  await runAs(["bash", script]);
  return (performance.now() - startMs) / list.length;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function endOf(stanza: TestStanza): Promise<void> {
  await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-(push|get):async`]);
  // The original's process ends with its batch.
  while ((await execute(["pgrep", "-f", `config=${stanza.config}`])).stdout.trim() !== "") {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function report(what: string, ours: number, peer: number, unit = "ms"): void {
  console.log(
    `${what.padEnd(58)} walferry ${ours.toFixed(2)} ${unit} | pgbackrest ${peer.toFixed(2)} ${unit} | ratio ${
      (ours / peer).toFixed(2)
    }`,
  );
}

/** A backlog of segments until the last one is acknowledged. */
async function drains(): Promise<void> {
  for (const [place, latencyMs] of [["posix", 0], ["S3", 0], ["S3", 30]] as const) {
    await using proxy = latencyMs === 0 ? undefined : DelayingProxy.start(server.tlsPort, latencyMs / 2);
    const port = place === "posix" ? undefined : proxy?.port ?? server.tlsPort;
    const times: Record<Program, number[]> = { walferry: [], pgbackrest: [] };
    for (let round = 0; round < 3; round++) {
      for (const program of PROGRAMS) {
        const stanza = await makeStanza(large, { port });
        const list = names(DRAINED, large.segmentBytes);
        await makeReady(large, list);
        const command = await archiveCommand(stanza, program);
        times[program].push(await loop(large, command, list, (name) => `pg_wal/${name}`, ARCHIVED));
        await endOf(stanza);
      }
    }
    report(
      `(a) drain of ${DRAINED} x 16 MiB, ${place}, ${latencyMs} ms`,
      median(times.walferry),
      median(times.pgbackrest),
    );
  }
}

function median(list: number[]): number {
  return list.sort((a, b) => a - b)[list.length >> 1]!;
}

/** What one command costs when its segment is in the repository already. */
async function steadyState(): Promise<void> {
  const cost: Record<string, number> = {};
  for (
    const [name, program, fast] of [["pgbackrest", "pgbackrest", false], ["ordinary", "walferry", false], [
      "fast",
      "walferry",
      true,
    ]] as const
  ) {
    const stanza = await makeStanza(small, {});
    const list = names(100, small.segmentBytes);
    await makeReady(small, list);
    const command = await archiveCommand(stanza, program, fast);
    // Once to have them acknowledged; none is taken away, so that the answers stay.
    await loop(small, command, list, (segment) => `pg_wal/${segment}`);
    cost[name] = await loop(small, command, list, (segment) => `pg_wal/${segment}`);
    await endOf(stanza);
  }
  const empty = await loop(small, "true", names(100, small.segmentBytes), () => "");
  report("(b) archive_command, acknowledged: fast path", cost.fast!, cost.pgbackrest!);
  report("(b) archive_command, acknowledged: ordinary path", cost.ordinary!, cost.pgbackrest!);
  report("(b) the same, fast path, without the shell itself", cost.fast! - empty, cost.pgbackrest! - empty);
}

/** 200 segments one after the other, as recovery asks for them. */
async function recoveries(): Promise<void> {
  for (const latencyMs of [0, 30]) {
    await using proxy = latencyMs === 0 ? undefined : DelayingProxy.start(server.tlsPort, latencyMs / 2);
    const stanza = await makeStanza(small, { port: proxy?.port ?? server.tlsPort });
    const list = names(200, small.segmentBytes);
    await makeReady(small, list);
    await loop(small, await archiveCommand(stanza, "walferry"), list, (name) => `pg_wal/${name}`, ARCHIVED);
    await endOf(stanza);
    const times: Record<Program, number[]> = { walferry: [], pgbackrest: [] };
    for (let round = 0; round < 3; round++) {
      for (const program of PROGRAMS) {
        await runAs(["rm", "-rf", `${folder.path}/s${stanzas}/spool/archive`]);
        const command = await restoreCommand(stanza, program);
        times[program].push(await loop(small, command, list, () => "pg_wal/RECOVERYXLOG"));
        await endOf(stanza);
      }
    }
    report(`(c) recovery of 200 x 1 MiB from S3, ${latencyMs} ms`, median(times.walferry), median(times.pgbackrest));
  }
}

/** What is asked of the store for 1,000 segments. */
async function requests(): Promise<void> {
  await using proxy = await FaultProxy.start(server.port);
  const bucket = await server.makeBucket();
  const stanza = await TestStanza.make(folder, small.cluster, {
    name: "requests",
    repositories: [{
      path: "/requests",
      options: s3Options(server, bucket, proxy.port),
    }],
    global: GLOBAL,
  });
  await stanza.must("walferry", ["--no-online", "stanza-create"]);
  const list = names(1000, small.segmentBytes);
  await makeReady(small, list);
  const count = () => {
    const isList = ({ url }: { url: string }) => url.includes("list-type");
    const sums = {
      put: proxy.requests.filter(({ method }) => method === "PUT").length,
      list: proxy.requests.filter(isList).length,
      get: proxy.requests.filter((one) => one.method === "GET" && !isList(one)).length,
      connections: proxy.connections,
    };
    proxy.requests.length = 0;
    proxy.connections = 0;
    return sums;
  };
  count();
  await loop(small, await archiveCommand(stanza, "walferry"), list, (name) => `pg_wal/${name}`, ARCHIVED);
  console.log(`(d) push of 1,000 segments: ${JSON.stringify(count())}`);
  await endOf(stanza);
  await loop(small, await restoreCommand(stanza, "walferry"), list, () => "pg_wal/RECOVERYXLOG");
  console.log(`(d) get of 1,000 segments: ${JSON.stringify(count())}`);
  await endOf(stanza);
}

/** CPU and memory of the background process over 2,000 segments, and with a store that hangs. */
async function longRun(): Promise<void> {
  const stanza = await makeStanza(small, { port: server.tlsPort });
  const command = await archiveCommand(stanza, "walferry");
  let from = "000000010000000100000000";
  for (let round = 1; round <= 4; round++) {
    const list = names(500, small.segmentBytes, from);
    await makeReady(small, list);
    await loop(small, command, list, (name) => `pg_wal/${name}`, ARCHIVED);
    from = nextSegmentName(list.at(-1)!, small.segmentBytes);
    console.log(`(e) after ${round * 500} segments: ${await usage(stanza)}`);
  }
  await endOf(stanza);

  await using stalled = await FaultProxy.start(
    server.port,
    ({ method }) => method === "PUT" ? { kind: "stall" } : undefined,
  );
  const hanging = await TestStanza.make(folder, small.cluster, {
    name: "hanging",
    repositories: [{
      path: "/hanging",
      options: s3Options(server, await server.makeBucket(), stalled.port),
    }],
    global: { ...GLOBAL, "archive-timeout": "5s" },
  });
  stalled.plan = () => undefined;
  await hanging.must("walferry", ["--no-online", "stanza-create"]);
  stalled.plan = ({ method }) => (method === "PUT" ? { kind: "stall" } : undefined);
  await makeReady(small, names(500, small.segmentBytes));
  const asked = await archiveCommand(hanging, "walferry");
  for (let round = 0; round < 3; round++) {
    await loop(
      small,
      `${asked} || true`.replace("exec ", ""),
      names(1, small.segmentBytes),
      (name) => `pg_wal/${name}`,
    );
    console.log(`(e) 500 wait, the store hangs, ${(round + 1) * 5} s: ${await usage(hanging)}`);
  }
  await endOf(hanging);
}

/** A quorum of one: the second repository is there, and is not. */
async function deadRepository(): Promise<void> {
  const times: Record<"alive" | "dead", number[]> = { alive: [], dead: [] };
  for (let round = 0; round < 3; round++) {
    for (const state of ["alive", "dead"] as const) {
      const stanza = await TestStanza.make(folder, large.cluster, {
        name: `quorum${round}${state}`,
        repositories: [{}, {}],
        global: { ...GLOBAL, "archive-push-quorum": "1" },
      });
      await stanza.must("walferry", ["--no-online", "stanza-create"]);
      if (state === "dead") await runAs(["mv", stanza.repositories[1]!, `${stanza.repositories[1]}.away`]);
      const list = names(100, large.segmentBytes);
      await makeReady(large, list);
      times[state].push(
        await loop(large, await archiveCommand(stanza, "walferry"), list, (name) => `pg_wal/${name}`, ARCHIVED),
      );
      await endOf(stanza);
    }
  }
  const [alive, dead] = [median(times.alive), median(times.dead)];
  console.log(
    `(f) quorum 1 of 2 posix, 100 x 16 MiB: both there ${alive.toFixed(1)} ms, one dead ${dead.toFixed(1)} ms, ratio ${
      (dead / alive).toFixed(2)
    }`,
  );
}

/** Segments out of a queue that holds very many. */
async function fullQueue(): Promise<void> {
  for (const count of [1000, 10_000, 50_000]) {
    const stanza = await makeStanza(small, {});
    const command = await restoreCommand(stanza, "walferry");
    const list = names(count, small.segmentBytes);
    const spool = `${folder.path}/s${stanzas}/spool/archive/main`;
    const identity = /\[ "\$i" = (\d+) \]/.exec(command)![1];
    await Deno.writeTextFile(`${folder.path}/names`, `${list.join("\n")}\n`);
    await runAs([
      "sh",
      "-c",
      `mkdir -p ${spool}/in && echo ${identity} > ${spool}/in-system-id && cd ${spool}/in && xargs -n 1000 sh -c 'for n; do echo x > $n; done' x < ${folder.path}/names`,
    ]);
    const times: number[] = [];
    for (const name of list.slice(0, 300)) {
      const own = command.replaceAll("%f", name).replaceAll("%p", "pg_wal/RECOVERYXLOG");
      const { success, stdout } = await new Deno.Command("sh", {
        args: [
          "-c",
          `s=$(date +%s%N); sh -c ${quote(own)}; r=$?; e=$(date +%s%N); echo $(( (e - s) / 1000 )); exit $r`,
        ],
        cwd: small.cluster.path,
      }).output();
      if (!success) throw new Error(`${name} was not served`);
      times.push(Number(new TextDecoder().decode(stdout)) / 1000);
    }
    times.sort((a, b) => a - b);
    console.log(
      `(g) ${count} segments in the queue: median ${times[150]!.toFixed(1)} ms, p99 ${times[297]!.toFixed(1)} ms`,
    );
  }
}

async function usage(stanza: TestStanza): Promise<string> {
  const { stdout } = await execute(["pgrep", "-f", `config=${stanza.config}.*archive-push:async`]);
  const pid = stdout.trim().split("\n")[0]!;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(" ");
  const seconds = (Number(fields[13]) + Number(fields[14])) / 100;
  return `RSS ${(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024).toFixed(0)} MiB, CPU ${seconds.toFixed(1)} s`;
}
