/** A rate limit holds for all who share its account, and the store behind it keeps the contract. */
import { MemoryStorage } from "../../backends/memory.ts";
import { RateAccount, RateLimitedStorage } from "../../backends/rate_limited_storage.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { storageSuite } from "./storage_suite.ts";

const MIB = 1024 * 1024;

storageSuite("memory below a limit", () => {
  const limit = { bytesPerSecond: 10_000 * MIB, account: new SharedArrayBuffer(8) };
  const storage = new RateLimitedStorage(new MemoryStorage({ type: "memory", path: "limited" }), limit);
  return Promise.resolve({ storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() });
});

Deno.test("what two threads send takes as long as the limit says, together", async () => {
  const account = new SharedArrayBuffer(8);
  const source = `import { RateAccount } from "${new URL("../../backends/rate_limited_storage.ts", import.meta.url)}";
    self.onmessage = async ({ data }) => {
      const account = new RateAccount(data);
      for (let turn = 0; turn < 4; turn++) await account.spend(${MIB});
      self.postMessage("done");
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/typescript" }));
  const workers = [new Worker(url, { type: "module" }), new Worker(url, { type: "module" })];
  const startMs = performance.now();
  await Promise.all(workers.map((worker) =>
    new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage({ bytesPerSecond: 10 * MIB, account });
    })
  ));
  // Eight turns of a tenth of a second; the first one goes at once.
  assert(performance.now() - startMs >= 690, `${performance.now() - startMs} ms`);
  for (const worker of workers) worker.terminate();
  URL.revokeObjectURL(url);
});

Deno.test("a clock that was set back does not stop the traffic; an abort ends the wait", async () => {
  const account = new SharedArrayBuffer(8);
  new BigInt64Array(account)[0] = BigInt(Date.now() + 86_400_000) * 1000n;
  const limited = new RateAccount({ bytesPerSecond: 1000, account });
  await limited.spend(100_000);
  const reason = new Error("stop");
  const controller = new AbortController();
  const waiting = limited.spend(1, controller.signal).then(() => undefined, (error) => error);
  controller.abort(reason);
  assertEquals(await waiting, reason);
});
