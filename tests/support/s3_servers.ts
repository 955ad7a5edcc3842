/**
 * Real S3 servers: Ceph's RADOS gateway over a store in memory, and OpenStack Swift with its S3 interface. They disagree where compatible
 * stores disagree in the world (regions, Content-MD5, conditional writes), so both together catch most assumptions.
 */
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3StorageConfig } from "../../backends/config.ts";
import { execute, runAs, TestFolder } from "./accounts.ts";
import type { Certificates } from "./certificates.ts";
import { freePorts } from "./free_port.ts";

/** Programs that the servers need (see testWith). */
export const RGW_PROGRAMS = ["radosgw", "ceph-mon", "ceph-osd", "ceph", "curl"];
export const SWIFT_PROGRAMS = ["swift-proxy-server", "swift-object-server", "memcached", "curl"];

export interface S3Server extends AsyncDisposable {
  readonly port: number;
  /** Only when it was started with certificates. */
  readonly tlsPort: number;
  readonly key: string;
  readonly keySecret: string;
  readonly region: string;
  /** Makes a bucket with a name that is free and gives the name. */
  makeBucket(): Promise<string>;
}

/** Configuration of a repository on such a server, over plain HTTP. */
export function s3Config(
  server: Pick<S3Server, "port" | "region" | "key" | "keySecret">,
  bucket: string,
  more: Partial<S3StorageConfig> = {},
): S3StorageConfig {
  return {
    type: "s3",
    path: "/repo",
    bucket,
    region: server.region,
    endpoint: `http://127.0.0.1:${server.port}`,
    uriStyle: "path",
    credentials: { type: "shared", key: server.key, keySecret: server.keySecret },
    tls: { verify: true },
    tags: new Map(),
    uploadChunkBytes: 5 * 1024 * 1024,
    requesterPays: false,
    service: "s3",
    conditionalWrite: false,
    // At once, so that it meets every trouble.
    directFromBytes: 0,
    // Swift removes a thousand objects in some ten seconds, and on a busy machine in some thirty.
    network: { ioTimeoutMs: 60_000, retryMs: 20_000 },
    ...more,
  };
}

/** The same as options of a configuration file. @param port of the server, or of a proxy before it */
export function s3Options(server: S3Server, bucket: string, port = server.port): Readonly<Record<string, string>> {
  return {
    "type": "s3",
    "s3-bucket": bucket,
    "s3-endpoint": `http://127.0.0.1:${port}`,
    "s3-region": server.region,
    "s3-uri-style": "path",
    "s3-key": server.key,
    "s3-key-secret": server.keySecret,
  };
}

/**
 * The same over TLS, as both programs take it: by name, because the original does not find addresses in certificates.
 * @param port of the server, or of a proxy before it
 */
export function s3TlsOptions(
  server: S3Server,
  bucket: string,
  { caFile }: Pick<Certificates, "caFile">,
  port = server.tlsPort,
): Readonly<Record<string, string>> {
  return {
    ...s3Options(server, bucket),
    "s3-endpoint": "s3.localhost",
    "storage-host": "localhost",
    "storage-port": String(port),
    "storage-ca-file": caFile,
  };
}

class RunningServer implements S3Server {
  readonly port: number;
  readonly tlsPort: number;
  readonly key: string;
  readonly keySecret: string;
  readonly region = "us-east-1";
  readonly folder: TestFolder;
  readonly #stop: string;

  constructor(
    place: { port: number; tlsPort: number; folder: TestFolder },
    credentials: { key: string; keySecret: string },
    stop: string,
  ) {
    this.port = place.port;
    this.tlsPort = place.tlsPort;
    this.folder = place.folder;
    this.key = credentials.key;
    this.keySecret = credentials.keySecret;
    this.#stop = stop;
  }

  async makeBucket(): Promise<string> {
    const name = `b${crypto.randomUUID().slice(0, 18)}`;
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${this.port}`,
      region: this.region,
      forcePathStyle: true,
      credentials: { accessKeyId: this.key, secretAccessKey: this.keySecret },
    });
    try {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    } finally {
      client.destroy();
    }
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await execute(["bash", "-c", this.#stop], { asSelf: true });
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Ceph's gateway with one monitor and one store in memory; empty at every start. Rights for others: `admin` runs radosgw-admin. */
export interface RgwServer extends S3Server {
  admin(...args: string[]): Promise<string>;
}

/**
 * Starts the gateway, over plain HTTP and (with certificates) TLS.
 * @param storeBytes what it holds at most, in memory
 */
export async function startRgw(certificates?: Certificates, storeBytes = 4 * 1024 ** 3): Promise<RgwServer> {
  const folder = await TestFolder.make();
  const port = freePorts(3);
  const place = folder.path;
  const tls = certificates === undefined
    ? ""
    : ` ssl_endpoint=127.0.0.1:${
      port + 2
    } ssl_certificate=${certificates.certFile} ssl_private_key=${certificates.keyFile}`;
  const id = crypto.randomUUID();
  const configuration = `[global]
fsid = ${id}
mon host = [v2:127.0.0.1:${port + 1}]
public addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms cluster mode = crc
ms service mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
run dir = ${place}/run
admin socket = ${place}/run/$name.$pid.asok
pid file = ${place}/run/$name.pid
log file = ${place}/log/$name.log
mon cluster log file = ${place}/log/cluster.log
crash dir = ${place}/run
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.02
mon max pg per osd = 1000
mon warn on pool no redundancy = false
[mon.a]
mon data = ${place}/mon.a
mon data avail crit = 1
[osd]
osd data = ${place}/osd.0
osd objectstore = memstore
memstore device bytes = ${storeBytes}
osd class load list = *
osd class default list = *
osd max object name len = 2048
[client.rgw.ci]
rgw data = ${place}/rgw
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:${port}${tls}
rgw dns name = s3.localhost
rgw enable usage log = false
rgw enable ops log = false
rgw lc debug interval = 0
rgw crypt require ssl = false
`;
  await Deno.writeTextFile(`${place}/ceph.conf`, configuration);
  const script = `set -euo pipefail; cd ${place}; export CEPH_CONF=${place}/ceph.conf
    mkdir -p mon.a osd.0 run log rgw mgr.x
    monmaptool --create --clobber --fsid ${id} --addv a "[v2:127.0.0.1:${port + 1}]" monmap >/dev/null
    ceph-mon -i a --mkfs --monmap monmap >/dev/null
    ceph-mon -i a >/dev/null 2>&1
    timeout 60 ceph osd new ${id} 0 >/dev/null
    ceph-osd -i 0 --mkfs --osd-uuid ${id} >/dev/null 2>&1
    timeout 30 ceph osd crush add osd.0 1.0 root=default host=h >/dev/null 2>&1 || true
    ceph-osd -i 0 >/dev/null 2>&1
    radosgw -n client.rgw.ci >/dev/null 2>&1
    for i in $(seq 600); do curl -sf -o /dev/null http://127.0.0.1:${port}/ && break; sleep 0.1; done
    timeout 60 radosgw-admin -n client.rgw.ci user create --uid=ci --display-name=ci \\
      --access-key=CIACCESSKEY --secret-key=ci-secret-key >/dev/null 2>&1
    curl -sf -o /dev/null http://127.0.0.1:${port}/`;
  const stop = `cd ${place}/run; kill -KILL $(cat client.rgw.ci.pid osd.0.pid mon.a.pid)`;
  const credentials = { key: "CIACCESSKEY", keySecret: "ci-secret-key" };
  const server = new RunningServer({ port, tlsPort: port + 2, folder }, credentials, stop);
  await started(server, script);
  return Object.assign(server, {
    admin: (...args: string[]) =>
      runAs(["radosgw-admin", "-n", "client.rgw.ci", ...args], {
        asSelf: true,
        env: { CEPH_CONF: `${place}/ceph.conf` },
      }),
  });
}

async function started(server: RunningServer, script: string): Promise<void> {
  try {
    await runAs(["bash", "-c", script], { asSelf: true });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts Swift with its S3 interface, over plain HTTP and (with certificates) TLS. */
export async function startSwift(certificates?: Certificates): Promise<S3Server> {
  const folder = await TestFolder.make();
  const port = freePorts(6);
  const place = folder.path;
  await writeSwiftConfiguration(place, port, certificates);
  const [account, container, object, tlsPort, cache] = [port + 1, port + 2, port + 3, port + 4, port + 5];
  const wait = (what: string) =>
    `for i in $(seq 600); do curl -s ${what === "healthcheck" ? "-f" : ""} -o /dev/null http://127.0.0.1:${
      what === "healthcheck" ? `${port}/healthcheck` : `${what}/`
    } && break; sleep 0.1; done`;
  const proxies = certificates === undefined ? ["proxy"] : ["proxy", "proxy-tls"];
  const script = `set -euo pipefail; cd ${place}/conf
    for t in account:${account} container:${container} object:${object}; do n=\${t%%:*}; p=\${t##*:}
      swift-ring-builder $n.builder create 4 1 0 >/dev/null
      swift-ring-builder $n.builder add r1z1-127.0.0.1:$p/d1 1 >/dev/null
      swift-ring-builder $n.builder rebalance >/dev/null; done
    memcached -u "$(id -un)" -l 127.0.0.1 -p ${cache} -m 16 -U 0 >../log/memcached.log 2>&1 & echo $! >../run/memcached.pid
    for n in account container object; do
      swift-$n-server ${place}/conf/$n.conf >../log/$n.log 2>&1 & echo $! >../run/$n.pid; done
    ${[account, container, object].map(String).map(wait).join("\n")}
    for n in ${proxies.join(" ")}; do
      swift-proxy-server ${place}/conf/$n.conf >../log/$n.log 2>&1 & echo $! >../run/$n.pid; done
    ${wait("healthcheck")}
    curl -sf -o /dev/null http://127.0.0.1:${port}/healthcheck`;
  const stop = `cd ${place}/run; for f in *.pid; do pkill -KILL -P $(cat $f); kill -KILL $(cat $f); done`;
  const credentials = { key: "ci:writer", keySecret: "ci-secret-key" };
  const server = new RunningServer({ port, tlsPort, folder }, credentials, stop);
  await started(server, script);
  return server;
}

async function writeSwiftConfiguration(place: string, port: number, certificates?: Certificates): Promise<void> {
  for (const name of ["conf", "disk/d1", "run", "log", "cache"]) {
    await Deno.mkdir(`${place}/${name}`, { recursive: true });
  }
  const user = (await runAs(["id", "-un"], { asSelf: true })).trim();
  const write = (name: string, text: string) => Deno.writeTextFile(`${place}/conf/${name}`, text);
  const common = (at: number, workers: number) =>
    `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${at}
workers = ${workers}
user = ${user}
swift_dir = ${place}/conf
devices = ${place}/disk
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
log_level = WARNING
log_udp_host = 127.0.0.1
log_udp_port = 9
recon_cache_path = ${place}/cache
`;
  await write(
    "swift.conf",
    `[swift-hash]
swift_hash_path_prefix = ci
swift_hash_path_suffix = ci
[storage-policy:0]
name = only
default = yes
[swift-constraints]
max_file_size = 5368709122
`,
  );
  for (const [index, name] of ["account", "container", "object"].entries()) {
    await write(
      `${name}.conf`,
      `${
        common(port + 1 + index, 0)
      }[pipeline:main]\npipeline = ${name}-server\n[app:${name}-server]\nuse = egg:swift#${name}\n`,
    );
  }
  const filters = [
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "bulk",
    "copy",
    "slo",
    "dlo",
    "symlink",
  ];
  const proxy = (at: number, tls: string) =>
    `${common(at, 0)}${tls}[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_interval = 0
error_suppression_limit = 1000
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${port + 5}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
dns_compliant_bucket_names = true
storage_domain = s3.localhost
auth_pipeline_check = false
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_ci_writer = ci-secret-key .admin
user_ci_other = other-secret-key
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
${filters.map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join("")}`;
  await write("proxy.conf", proxy(port, ""));
  if (certificates !== undefined) {
    await write(
      "proxy-tls.conf",
      proxy(port + 4, `cert_file = ${certificates.certFile}\nkey_file = ${certificates.keyFile}\n`),
    );
  }
}
