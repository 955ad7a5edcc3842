import { RequestFailure } from "../../backends/request_failure.ts";
import { retrying } from "../../backends/retry.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

/** Runs tries that take so long, the last of which succeeds; `undefined` = all of them fail. */
async function triesOf(limits: { ioTimeoutMs: number; retryMs: number }, took: readonly number[]): Promise<number> {
  let tries = 0;
  await retrying(limits, undefined, async () => {
    const ms = took[Math.min(tries++, took.length - 1)]!;
    await new Promise((resolve) => setTimeout(resolve, Math.abs(ms)));
    if (ms < 0 || tries < took.length) throw new RequestFailure("HostConnect", "no answer", { transient: true });
  });
  return tries;
}

Deno.test("one answer that never comes does not use up the time for another try", async () => {
  assertEquals(await triesOf({ ioTimeoutMs: 300, retryMs: 300 }, [310, 0]), 2);
  // Neither behind short failures.
  assertEquals(await triesOf({ ioTimeoutMs: 300, retryMs: 300 }, [0, 310, 0]), 3);
});

Deno.test("a store that never answers is given up after the second silence, or the first where there is less time", async () => {
  const both = await assertThrows<RequestFailure>(() => triesOf({ ioTimeoutMs: 100, retryMs: 100 }, [-110]));
  assertIncludes(both.message, "(2 tries in ");
  const one = await assertThrows<RequestFailure>(() => triesOf({ ioTimeoutMs: 100, retryMs: 90 }, [-110]));
  assertEquals(one.message, "no answer");
});
