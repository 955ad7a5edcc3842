/** The storage contract over S3, on two servers that disagree where compatible stores disagree. */
import type { S3StorageConfig } from "../../backends/config.ts";
import { openS3 } from "../../backends/s3.ts";
import { skipTest, whySkipped } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3Config, type S3Server, startRgw, startSwift, SWIFT_PROGRAMS } from "../support/s3_servers.ts";
import { storageSuite } from "./storage_suite.ts";

function suiteOn(
  name: string,
  programs: readonly string[],
  start: () => Promise<S3Server>,
  more: Partial<S3StorageConfig>,
): void {
  const reason = whySkipped(programs);
  if (reason !== undefined) return skipTest(name, reason);
  let server: S3Server | undefined;
  Deno.test.beforeAll(async () => {
    server = await start();
  });
  Deno.test.afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  storageSuite(name, async () => {
    const storage = openS3(s3Config(server!, await server!.makeBucket(), more));
    return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
  });
}

suiteOn("s3 on Ceph", RGW_PROGRAMS, () => startRgw(), { conditionalWrite: true });
// It refuses conditional writes.
suiteOn("s3 on Swift", SWIFT_PROGRAMS, () => startSwift(), {});
