/**
 * Backups and restores beside the real pgbackrest (`WALFERRY_TEST_PGBACKREST`, else the one in the path), in one run, as ratios: each program
 * has a repository of its own for the same cluster, and they take turns.
 *
 * Arguments: names of parts, without any all. Environment: `WALFERRY_BENCH_GIGABYTES` (of the database, default 1), `WALFERRY_BENCH_ROUNDS`
 * (default 3), `WALFERRY_BENCH_STORES` and `WALFERRY_BENCH_COMPRESS` (default `posix,s3` and `none,zst`), `WALFERRY_BENCH_FILES` (of the
 * cluster with many, default 50000).
 */
import type { Storage } from "../backends/contract.ts";
import { openStorage } from "../backends/open.ts";
import { runAs, TestFolder } from "../tests/support/accounts.ts";
import { makeCertificates } from "../tests/support/certificates.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { pgbackrestPath, type TestRepository, TestStanza } from "../tests/support/programs.ts";
import { s3Config, s3TlsOptions, startRgw } from "../tests/support/s3_servers.ts";
import { compare, line, together } from "./measure.ts";
import { changePages, fill } from "./rows.ts";

type Program = "walferry" | "pgbackrest";
type Store = "posix" | "s3";

const PROGRAMS: readonly Program[] = ["walferry", "pgbackrest"];
const GIGABYTES = Number(Deno.env.get("WALFERRY_BENCH_GIGABYTES") ?? 1);
const ROUNDS = Number(Deno.env.get("WALFERRY_BENCH_ROUNDS") ?? 3);
const FILES = Number(Deno.env.get("WALFERRY_BENCH_FILES") ?? 50_000);
const STORES = (Deno.env.get("WALFERRY_BENCH_STORES") ?? "posix,s3").split(",") as Store[];
const COMPRESS = (Deno.env.get("WALFERRY_BENCH_COMPRESS") ?? "none,zst").split(",");
const PROCESS_MAX = 2;
const BLOCKS = { "bundle": "y", "block": "y" };
/** What the store in memory holds at most. */
const STORE_BYTES = 12 * 1024 ** 3;

const PARTS: Readonly<Record<string, (place: Place) => Promise<void>>> = { plain, blocks, two: twoRepositories, many };

await using folder = await TestFolder.make();
const peerVersion = (await runAs([pgbackrestPath, "version"])).trim();
console.log(
  `beside ${peerVersion}: medians of ${ROUNDS} runs in turn, process-max ${PROCESS_MAX}; ratios are walferry's part of pgbackrest's\n`,
);
const certificates = await makeCertificates(await folder.directory("tls", 0o755));
await using server = STORES.includes("s3") ? await startRgw(certificates, STORE_BYTES) : undefined;
const chosen = Deno.args.length === 0 ? Object.keys(PARTS) : Deno.args;
for (const store of STORES) {
  for (const compressType of COMPRESS) {
    for (const name of chosen) await PARTS[name]!({ store, compressType });
  }
}

/** Where repositories are, and how they compress. */
interface Place {
  readonly store: Store;
  readonly compressType: string;
}

/** A program with a repository that nobody else uses. */
interface Contestant {
  readonly program: Program;
  readonly stanza: TestStanza;
  /** Opens the repository, to see what is stored. */
  readonly open: () => Promise<Storage>;
  /** Where it restores to. */
  readonly target: string;
}

/** Puts a running cluster and two contestants there, and takes them away again. */
async function withContestants(
  { store, compressType }: Place,
  prepare: (cluster: TestCluster) => Promise<void>,
  options: Readonly<Record<string, string>>,
  measure: (cluster: TestCluster, contestants: readonly Contestant[], what: string) => Promise<void>,
): Promise<void> {
  await using own = await TestFolder.make();
  await using cluster = await makeCluster(own);
  await prepare(cluster);
  const contestants: Contestant[] = [];
  for (const program of PROGRAMS) {
    const bucket = store === "s3" ? await server!.makeBucket() : undefined;
    const repository = bucket === undefined
      ? { path: await own.directory(`repo-${program}`), options }
      : { path: "/repo", options: { ...s3TlsOptions(server!, bucket, certificates), ...options } };
    const stanza = await makeStanza(own, cluster, program, compressType, [repository]);
    const open = () =>
      bucket === undefined
        ? openStorage({ type: "posix", path: repository.path })
        : openStorage(s3Config(server!, bucket));
    contestants.push({ program, stanza, open, target: await own.directory(`restored-${program}`, 0o700) });
  }
  await measure(cluster, contestants, `${store}, ${compressType}: `);
  for (const { open } of contestants) {
    await using storage = await open();
    await storage.removeTree("backup");
  }
  // The store is in memory, and what is removed is freed only when it is told to.
  if (store === "s3") await server!.admin("gc", "process", "--include-all");
}

async function makeCluster(own: TestFolder): Promise<TestCluster> {
  const cluster = await TestCluster.init(own, {
    settings: "archive_mode = on\narchive_command = 'true'\nautovacuum = off\nmax_wal_size = '4GB'",
  });
  await cluster.start();
  return cluster;
}

async function makeStanza(
  own: TestFolder,
  cluster: TestCluster,
  name: string,
  compressType: string,
  repositories: readonly TestRepository[],
): Promise<TestStanza> {
  const stanza = await TestStanza.make(own, cluster, {
    name,
    repositories,
    global: {
      "compress-type": compressType,
      ...(compressType === "zst" ? { "compress-level": "3" } : {}),
      "process-max": String(PROCESS_MAX),
      "log-level-console": "warn",
      "archive-check": "n",
      "expire-auto": "n",
    },
  });
  await stanza.must("walferry", ["stanza-create"]);
  return stanza;
}

async function makeOrders(cluster: TestCluster): Promise<void> {
  await fill(cluster, GIGABYTES);
  // What reading sets in pages must not look like a change.
  await cluster.sql("vacuum orders");
  await cluster.sql("checkpoint");
}

/** Full, incremental, restore. */
async function plain(place: Place): Promise<void> {
  await withContestants(place, makeOrders, {}, async (cluster, contestants, what) => {
    const size = `${GIGABYTES} GB`;
    await backups(`${what}full, ${size}`, contestants, "full");
    await restores(`${what}restore, ${size}`, contestants);
    await restores(`${what}delta restore, ${size}, a file damaged`, contestants, true);
    await changePages(cluster);
    await backups(`${what}incr, 1 % of pages changed`, contestants, "incr");
  });
}

/** The same with bundles and blocks. */
async function blocks(place: Place): Promise<void> {
  await withContestants(place, makeOrders, BLOCKS, async (cluster, contestants, what) => {
    const size = `${GIGABYTES} GB`;
    await backups(`${what}block full, ${size}`, contestants, "full");
    await changePages(cluster);
    await backups(`${what}block incr, 1 % of pages changed`, contestants, "incr", true);
    await restores(`${what}block restore, full and incr, ${size}`, contestants);
    await restores(`${what}block delta restore, a file damaged`, contestants, true);
  });
}

/** Many small files, of which nothing changes. */
async function many(place: Place): Promise<void> {
  await withContestants(place, addFiles, { bundle: "y" }, async (_cluster, contestants, what) => {
    await backups(`${what}full, ${FILES} files in bundles`, contestants, "full");
    await backups(`${what}incr, nothing changed of ${FILES} files`, contestants, "incr");
    await restores(`${what}restore, ${FILES} files in bundles`, contestants);
    await restores(`${what}delta restore, ${FILES} files, one damaged`, contestants, true);
  });
}

/** Relations that no catalogue knows: backups take them all the same. */
async function addFiles(cluster: TestCluster): Promise<void> {
  await fill(cluster, 0.01);
  await cluster.sql("checkpoint");
  const [path, database] = (await cluster.sql(
    "select pg_relation_filepath('orders') || ' ' || oid from pg_database where datname = 'postgres'",
  )).split(" ");
  // The first page of a relation is right as the first page of any other.
  const script = `cd "$0/base/${database}" && head -c 8192 "$0/${path}" > 900000 &&
    seq 900001 ${900_000 + FILES - 1} | xargs -n 500 sh -c 'for n in "$@"; do cp -p 900000 $n; done' x`;
  await runAs(["sh", "-c", script, cluster.path]);
}

/** One backup for two repositories, beside two backups. */
async function twoRepositories({ store, compressType }: Place): Promise<void> {
  await using own = await TestFolder.make();
  await using cluster = await makeCluster(own);
  await makeOrders(cluster);
  const stanzas: TestStanza[] = [];
  for (const program of PROGRAMS) {
    const repositories: TestRepository[] = [];
    for (const number of [1, 2]) {
      repositories.push(
        store === "s3"
          ? { path: "/repo", options: s3TlsOptions(server!, await server!.makeBucket(), certificates) }
          : { path: await own.directory(`repo-${program}-${number}`) },
      );
    }
    stanzas.push(await makeStanza(own, cluster, program, compressType, repositories));
  }
  const [ours, peer] = stanzas as [TestStanza, TestStanza];
  const before = async () => {
    for (const stanza of stanzas) await keepNewest(stanza, [1, 2]);
  };
  const [both, first, second] = await compare([
    { command: ours.commandLine("walferry", "--repo=all", "--type=full", "backup").split(" "), before },
    { command: peer.commandLine("pgbackrest", "--repo=1", "--type=full", "backup").split(" "), before },
    { command: peer.commandLine("pgbackrest", "--repo=2", "--type=full", "backup").split(" ") },
  ], ROUNDS);
  console.log(
    line(`${store}, ${compressType}: full in two repositories, ${GIGABYTES} GB`, both!, together(first!, second!)),
  );
}

async function backups(
  what: string,
  contestants: readonly Contestant[],
  type: "full" | "incr",
  keepLast = false,
): Promise<void> {
  const [ours, peer] = await compare(
    contestants.map(({ program, stanza }) => ({
      command: stanza.commandLine(program, `--type=${type}`, "backup").split(" "),
      before: () => type === "full" ? keepNewest(stanza, [1]) : removeIncrements(stanza),
    })),
    ROUNDS,
  );
  const stored = await Promise.all(contestants.map(storedBytes)) as [number, number];
  console.log(line(what, ours!, peer!, stored));
  if (type === "incr" && !keepLast) { for (const { stanza } of contestants) await removeIncrements(stanza); }
}

async function restores(what: string, contestants: readonly Contestant[], delta = false): Promise<void> {
  const [ours, peer] = await compare(
    contestants.map(({ program, stanza, target }) => ({
      command: stanza.commandLine(
        program,
        `--pg1-path=${target}`,
        "--type=immediate",
        ...(delta ? ["--delta"] : []),
        "restore",
      ).split(" "),
      before: async () => {
        if (delta) await damageLargest(target);
        else await runAs(["find", target, "-mindepth", "1", "-delete"]);
        // What must be restored is in nobody's memory; the last run of either program may have left it there.
        await forget([target, ...stanza.repositories]);
      },
    })),
    ROUNDS,
  );
  console.log(line(what, ours!, peer!));
}

/** Has the kernel let go of what it holds of long files, as far as they are in directories. */
async function forget(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    const script = `[ ! -d "$0" ] || find "$0" -type f -size +1M -exec dd if={} iflag=nocache count=0 status=none ';'`;
    await runAs(["sh", "-c", script, directory]);
  }
}

/** Changes a byte in the middle of the largest file. */
async function damageLargest(target: string): Promise<void> {
  await runAs([
    "sh",
    "-c",
    `f=$(find ${target}/base -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2-) &&
      printf x | dd of=$f bs=1 seek=$(( $(stat -c %s $f) / 2 + 5 )) conv=notrunc 2>/dev/null`,
  ]);
}

async function labelsOf(stanza: TestStanza, repository: number): Promise<string[]> {
  const text = await stanza.must("walferry", [`--repo=${repository}`, "--output=json", "info"]);
  const [found] = JSON.parse(text) as Array<{ backup: Array<{ label: string }> }>;
  return found!.backup.map(({ label }) => label).sort();
}

async function keepNewest(stanza: TestStanza, repositories: readonly number[]): Promise<void> {
  for (const repository of repositories) {
    for (const label of (await labelsOf(stanza, repository)).slice(0, -1)) await remove(stanza, repository, label);
  }
}

async function removeIncrements(stanza: TestStanza): Promise<void> {
  for (const label of (await labelsOf(stanza, 1)).filter((label) => !label.endsWith("F"))) {
    await remove(stanza, 1, label);
  }
}

async function remove(stanza: TestStanza, repository: number, label: string): Promise<void> {
  await stanza.must("walferry", [`--repo=${repository}`, `--set=${label}`, "expire"]);
}

/** What the newest backup takes in its repository. */
async function storedBytes({ stanza, open }: Contestant): Promise<number> {
  const label = (await labelsOf(stanza, 1)).at(-1)!;
  await using storage = await open();
  let bytes = 0;
  for await (const { sizeBytes } of storage.list(`backup/main/${label}`, { recurse: true })) bytes += sizeBytes;
  return bytes;
}
