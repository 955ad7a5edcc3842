/**
 * WAL segments to a real S3 server: this program's way beside bare PUTs of the same bytes (the limit of server, network and runtime) and
 * beside pgbackrest's asynchronous archiving. In one run, as ratios.
 */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import type { Storage } from "../backends/contract.ts";
import { openS3 } from "../backends/s3.ts";
import { compressBytes } from "../src/stream/compress.ts";
import { sha1Hex } from "../src/stream/hash.ts";
import { runAs, TestFolder } from "../tests/support/accounts.ts";
import { makeCertificates } from "../tests/support/certificates.ts";
import { DelayingProxy } from "../tests/support/delaying_proxy.ts";
import { FaultProxy } from "../tests/support/fault_proxy.ts";
import { TestCluster } from "../tests/support/postgres.ts";
import { TestStanza } from "../tests/support/programs.ts";
import { hasProgram } from "../tests/support/requirements.ts";
import { s3Config, s3Options, type S3Server, s3TlsOptions, startRgw } from "../tests/support/s3_servers.ts";

const SEGMENTS = 64;
const SEGMENT_MIB = 16;
const CONCURRENCIES = [1, 4, 8];
const ROUNDS = 2;

await using folder = await TestFolder.make();
const certificates = await makeCertificates(await folder.directory("tls", 0o755));
await using server = await startRgw(certificates, 9 * 1024 ** 3);
const bucket = await publicBucket(server);
const { cluster, segments } = await realSegments(folder);
await using _cluster = cluster;

console.log(
  `${SEGMENTS} segments of ${SEGMENT_MIB} MiB of real WAL to Ceph's gateway on this machine; MiB/s, best of ${ROUNDS}\n`,
);
await compareWithBarePuts("TLS", `https://127.0.0.1:${server.tlsPort}`, SEGMENTS);
await compareWithBarePuts("plain HTTP", `http://127.0.0.1:${server.port}`, SEGMENTS);
{
  await using proxy = await FaultProxy.start(server.port, () => ({ kind: "delay", milliseconds: 30 }));
  await compareWithBarePuts("plain HTTP, 30 ms per request", `http://127.0.0.1:${proxy.port}`, 16);
}
await compareWithPeer();
await compareWithBarman();
await manyKeys();
await oneLargeFile();

/** A bucket into which everybody may write, so that a bare PUT needs no signature. */
async function publicBucket(at: S3Server): Promise<string> {
  const name = await at.makeBucket();
  const { endpoint, region, credentials } = s3Config(at, name);
  if (credentials.type !== "shared") throw new Error("the server has a shared key");
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.key, secretAccessKey: credentials.keySecret },
  });
  const statement = { Effect: "Allow", Principal: "*", Action: "s3:PutObject", Resource: `arn:aws:s3:::${name}/*` };
  await client.send(
    new PutBucketPolicyCommand({
      Bucket: name,
      Policy: JSON.stringify({ Version: "2012-10-17", Statement: [statement] }),
    }),
  );
  client.destroy();
  return name;
}

/** Segments that pgbench filled, and the cluster that they belong to. */
async function realSegments(place: TestFolder): Promise<{ cluster: TestCluster; segments: string[] }> {
  const made = await TestCluster.init(place, {
    settings: "archive_mode = on\narchive_command = 'false'\nmax_wal_size = '4GB'",
  });
  await made.start();
  await runAs([
    "/usr/lib/postgresql/15/bin/pgbench",
    "-h",
    place.path,
    "-p",
    String(made.port),
    "-U",
    "postgres",
    "-i",
    "-q",
    "-s",
    "20",
    "postgres",
  ]);
  while (
    Number(await made.sql("select count(*) from pg_ls_archive_statusdir() where name like '%.ready'")) < SEGMENTS
  ) {
    await made.sql("update pgbench_accounts set abalance = abalance + 1 where aid % 10 = (random() * 9)::int");
  }
  const names = [...Deno.readDirSync(`${made.path}/pg_wal/archive_status`)].map(({ name }) =>
    name.replace(".ready", "")
  );
  return { cluster: made, segments: names.sort().slice(0, SEGMENTS).map((name) => `${made.path}/pg_wal/${name}`) };
}

/** The store is in memory, and what is removed is freed only when it is told to. */
async function emptyStore(): Promise<void> {
  const storage = openS3(s3Config(server, bucket, { path: "/" }));
  const names: string[] = [];
  for await (const { name } of storage.list("", { recurse: true })) names.push(name);
  await storage.removeMany(names);
  await storage[Symbol.asyncDispose]();
  await server.admin("gc", "process", "--include-all");
}

/** Best of some rounds, in MiB of WAL per second. */
async function throughput(
  count: number,
  concurrency: number,
  send: (path: string, key: string) => Promise<void>,
): Promise<number> {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const queue = segments.slice(0, count);
    const startMs = performance.now();
    const elapsed = () => (performance.now() - startMs) / 1000;
    await Promise.all(Array.from({ length: concurrency }, async () => {
      for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
        await send(path, `${path.slice(path.lastIndexOf("/") + 1)}-${crypto.randomUUID()}`);
      }
    }));
    best = Math.max(best, count * SEGMENT_MIB / elapsed());
    await emptyStore();
  }
  return best;
}

async function compareWithBarePuts(what: string, endpoint: string, count: number): Promise<void> {
  const tls = { verify: true, caFile: certificates.caFile };
  for (const concurrency of CONCURRENCIES) {
    const options = { keepAlive: true, maxSockets: concurrency, ca: Deno.readTextFileSync(certificates.caFile) };
    const agent = endpoint.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
    const bare = await throughput(
      count,
      concurrency,
      (path, key) => barePut(agent, `${endpoint}/${bucket}/${key}`, Deno.readFileSync(path)),
    );
    agent.destroy();
    const storage = openS3(s3Config(server, bucket, { endpoint, tls }));
    const plain = await throughput(count, concurrency, (path, key) => push(storage, path, key, false));
    const packed = await throughput(count, concurrency, (path, key) => push(storage, path, key, true));
    await storage[Symbol.asyncDispose]();
    console.log(
      `${what}, ${concurrency} at once: bare PUT ${bare.toFixed(0)}, walferry none ${plain.toFixed(0)} (${
        (plain / bare).toFixed(2)
      } of it), zst ${packed.toFixed(0)}`,
    );
  }
}

/** What archive-push does with a segment. */
async function push(storage: Storage, path: string, key: string, compress: boolean): Promise<void> {
  const bytes = Deno.readFileSync(path);
  const name = `${key}-${sha1Hex(bytes)}`;
  if (!compress) return await storage.write(name, bytes);
  await storage.write(`${name}.zst`, await compressBytes({ type: "zst" }, bytes));
}

function barePut(agent: HttpAgent | HttpsAgent, url: string, body: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const request = url.startsWith("https:") ? httpsRequest : httpRequest;
  const sent = request(url, { agent, method: "PUT", headers: { "content-length": body.length } }, (answer) => {
    answer.resume();
    answer.on("end", () => answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}`)));
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** The peer's asynchronous archiving over TLS, which it insists on, beside the same segments by this program's store. */
async function compareWithPeer(): Promise<void> {
  for (const concurrency of CONCURRENCIES) {
    const stanza = await TestStanza.make(folder, cluster, {
      name: `peer${concurrency}`,
      repositories: [{
        path: `/peer${concurrency}`,
        options: s3TlsOptions(server, bucket, certificates),
      }],
      global: { "compress-type": "none", "process-max": String(concurrency), "archive-async": "y" },
    });
    await stanza.must("pgbackrest", ["stanza-create"]);
    const startMs = performance.now();
    for (const path of segments) await stanza.must("pgbackrest", ["archive-push", path]);
    // The last of them was acknowledged: all are in the store.
    const peer = SEGMENTS * SEGMENT_MIB / ((performance.now() - startMs) / 1000);
    const storage = openS3(s3Config(server, bucket, {
      endpoint: `https://127.0.0.1:${server.tlsPort}`,
      tls: { verify: true, caFile: certificates.caFile },
    }));
    await emptyStore();
    const ours = await throughput(SEGMENTS, concurrency, (path, key) => push(storage, path, key, false));
    await storage[Symbol.asyncDispose]();
    console.log(
      `TLS, ${concurrency} at once: pgbackrest asynchronous ${peer.toFixed(0)}, walferry's store ${ours.toFixed(0)} (${
        (ours / peer).toFixed(2)
      } times)`,
    );
  }
}

/** A process for each segment, as an archive_command without a background process: this executable beside barman's. */
async function compareWithBarman(): Promise<void> {
  if (!hasProgram("barman-cloud-wal-archive")) return console.log("barman-cloud-wal-archive is not installed");
  const some = segments.slice(0, 12);
  const endpoint = `http://127.0.0.1:${server.port}`;
  const env = {
    AWS_ACCESS_KEY_ID: server.key,
    AWS_SECRET_ACCESS_KEY: server.keySecret,
    AWS_DEFAULT_REGION: server.region,
    HOME: folder.path,
  };
  const stanza = await TestStanza.make(folder, cluster, {
    name: "sync",
    repositories: [{
      path: "/sync",
      options: s3Options(server, bucket),
    }],
    global: { "compress-type": "none", "log-level-console": "off" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  const rate = async (run: (path: string) => Promise<unknown>) => {
    const startMs = performance.now();
    for (const path of some) await run(path);
    return some.length * SEGMENT_MIB / ((performance.now() - startMs) / 1000);
  };
  const barman = await rate((path) =>
    runAs(["barman-cloud-wal-archive", "--endpoint-url", endpoint, `s3://${bucket}/barman`, "main", path], { env })
  );
  const ours = await rate((path) => stanza.must("walferry", ["archive-push", path]));
  console.log(
    `a process for each segment: barman-cloud-wal-archive ${barman.toFixed(0)}, walferry archive-push ${
      ours.toFixed(0)
    } (${(ours / barman).toFixed(2)} times)`,
  );
  await emptyStore();
}

/** Listing and removing 10,000 keys: requests and time. */
async function manyKeys(): Promise<void> {
  await using proxy = await FaultProxy.start(server.port);
  const storage = openS3(s3Config(server, await server.makeBucket(), { endpoint: `http://127.0.0.1:${proxy.port}` }));
  const names = Array.from({ length: 10_000 }, (_, index) => `many/${String(index).padStart(6, "0")}`);
  for (let at = 0; at < names.length; at += 16) {
    await Promise.all(names.slice(at, at + 16).map((name) => storage.write(name, new Uint8Array(1))));
  }
  for (const [what, run] of [["listed", () => count(storage)], ["removed", () => storage.removeMany(names)]] as const) {
    proxy.requests.length = 0;
    const startMs = performance.now();
    await run();
    console.log(
      `10,000 keys ${what}: ${proxy.requests.length} requests, ${((performance.now() - startMs) / 1000).toFixed(2)} s`,
    );
  }
  await storage[Symbol.asyncDispose]();
}

async function count(storage: Storage): Promise<void> {
  let seen = 0;
  for await (const _entry of storage.list("many")) seen++;
  if (seen !== 10_000) throw new Error(`${seen} keys were listed`);
}

/** 5 GiB up and down, and a store that takes 1 MB/s: memory must depend on neither. */
async function oneLargeFile(): Promise<void> {
  await emptyStore();
  const gibibyte = 1024 ** 3;
  const measured = async (what: string, bytes: number, run: () => Promise<void>) => {
    const before = Deno.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => peak = Math.max(peak, Deno.memoryUsage().rss), 50);
    const startMs = performance.now();
    await run();
    clearInterval(watch);
    const seconds = (performance.now() - startMs) / 1000;
    console.log(
      `${what}: ${(bytes / 1024 ** 2 / seconds).toFixed(1)} MiB/s, peak RSS ${(peak / 1024 ** 2).toFixed(0)} MiB (${
        (before / 1024 ** 2).toFixed(0)
      } before)`,
    );
  };
  const storage = openS3(s3Config(server, bucket));
  for (const size of [1, 5]) {
    await measured(`${size} GiB up`, size * gibibyte, () => storage.write("large", zeros(size * gibibyte)));
    await measured(`${size} GiB down`, size * gibibyte, async () => {
      for await (const _chunk of (await storage.read("large"))!) { /* only counted */ }
    });
    await storage.remove("large");
    await server.admin("gc", "process", "--include-all");
  }
  await storage[Symbol.asyncDispose]();
  await using narrow = DelayingProxy.start(server.port, 0, 1e6);
  const slow = openS3(
    s3Config(server, bucket, {
      endpoint: `http://127.0.0.1:${narrow.port}`,
      network: { ioTimeoutMs: 60_000, retryMs: 60_000 },
    }),
  );
  await measured("48 MiB up at 1 MB/s a connection", 48 * 1024 ** 2, () => slow.write("slow", zeros(48 * 1024 ** 2)));
  await slow[Symbol.asyncDispose]();
}

async function* zeros(total: number): AsyncGenerator<Uint8Array> {
  for (let left = total; left > 0;) {
    const chunk = new Uint8Array(Math.min(512 * 1024, left));
    left -= chunk.length;
    yield await Promise.resolve(chunk);
  }
}
