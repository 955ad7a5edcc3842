import type { S3StorageConfig } from "../../backends/config.ts";
import { openS3 } from "../../backends/s3.ts";
import { type S3Server, startRgw, startSwift } from "../support/s3_servers.ts";
import { storageSuite } from "./storage_suite.ts";

const NETWORK = { ioTimeoutMs: 20_000, retryMs: 20_000 };

function configFor(server: S3Server, bucket: string, more: Partial<S3StorageConfig> = {}): S3StorageConfig {
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
    network: NETWORK,
    ...more,
  };
}

let rgw: S3Server;
let swift: S3Server;
Deno.test.beforeAll(async () => {
  rgw = await startRgw();
  swift = await startSwift();
});
Deno.test.afterAll(async () => {
  await rgw[Symbol.asyncDispose]();
  await swift[Symbol.asyncDispose]();
});

storageSuite("s3 on Ceph", async () => {
  const storage = openS3(configFor(rgw, await rgw.makeBucket(), { conditionalWrite: true }));
  return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
});
storageSuite("s3 on Swift", async () => {
  const storage = openS3(configFor(swift, await swift.makeBucket()));
  return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
});
