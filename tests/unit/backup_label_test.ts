/** Choice of the label of a new backup. */
import { chooseLabel } from "../../src/backup/label.ts";
import type { WalferryError } from "../../src/errors.ts";
import { formatLabel } from "../../src/format/label.ts";
import type { Clock } from "../../src/process/clock.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

const START = 1_795_220_213;
const signal = new AbortController().signal;

/** A clock that stands until somebody sleeps. */
function steppingClock(): Clock & { readonly sleptMs: number[] } {
  const sleptMs: number[] = [];
  return {
    sleptMs,
    nowMs: () => START * 1000 + 250,
    monotonicMs: () => 0,
    sleep: (ms) => {
      sleptMs.push(ms);
      return Promise.resolve();
    },
  };
}

const at = (offset: number) => formatLabel("full", START + offset);

Deno.test("the label is the time of the start when nothing is in its way", async () => {
  const clock = steppingClock();
  const known = [at(-60), `${at(-60)}_${at(-1).slice(0, -1)}I`];
  assertEquals(await chooseLabel({ type: "full", startSeconds: START, known }, clock, signal), at(0));
  assertEquals(clock.sleptMs, []);
});

Deno.test("a second that is taken is waited out", async () => {
  const clock = steppingClock();
  assertEquals(await chooseLabel({ type: "full", startSeconds: START, known: [at(0)] }, clock, signal), at(1));
  assertEquals(clock.sleptMs, [750]);
});

Deno.test("labels of the future end the backup with 106", async () => {
  const error = await assertThrows<WalferryError>(
    () => chooseLabel({ type: "full", startSeconds: START, known: [at(3600)] }, steppingClock(), signal),
  );
  assertEquals(error.code, 106);
  assertIncludes(error.text, `new backup label '${at(1)}' is not later than latest backup label '${at(3600)}'`);
  assertIncludes(error.text, "HINT: has the timezone changed?\nHINT: is there clock skew?");
});

Deno.test("a dependent backup is compared within its own set only", async () => {
  const full = at(-60);
  const label = await chooseLabel(
    { type: "diff", startSeconds: START, full, known: [full, at(3600)] },
    steppingClock(),
    signal,
  );
  assertEquals(label, formatLabel("diff", START, full));
});
