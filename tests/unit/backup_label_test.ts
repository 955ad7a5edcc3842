/** Choice of the label of a new backup. */
import { chooseLabels } from "../../src/backup/label.ts";
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

async function fullLabel(known: string[], clock = steppingClock()): Promise<string | undefined> {
  const backups = new Map([[1, { type: "full" as const }]]);
  return (await chooseLabels({ startSeconds: START, backups, known }, clock, signal)).get(1);
}

const at = (offset: number) => formatLabel("full", START + offset);

Deno.test("the label is the time of the start when nothing is in its way", async () => {
  const clock = steppingClock();
  const known = [at(-60), `${at(-60)}_${at(-1).slice(0, -1)}I`];
  assertEquals(await fullLabel(known, clock), at(0));
  assertEquals(clock.sleptMs, []);
});

Deno.test("a second that is taken is waited out", async () => {
  const clock = steppingClock();
  assertEquals(await fullLabel([at(0)], clock), at(1));
  assertEquals(clock.sleptMs, [750]);
});

Deno.test("labels of the future end the backup with 106", async () => {
  const error = await assertThrows<WalferryError>(() => fullLabel([at(3600)]));
  assertEquals(error.code, 106);
  assertIncludes(error.text, `new backup label '${at(1)}' is not later than latest backup label '${at(3600)}'`);
  assertIncludes(error.text, "HINT: has the timezone changed?\nHINT: is there clock skew?");
});

Deno.test("a dependent backup is compared within its own set only", async () => {
  const full = at(-60);
  const backups = new Map([[1, { type: "diff" as const, full }]]);
  const labels = await chooseLabels(
    { startSeconds: START, backups, known: [full, at(3600)] },
    steppingClock(),
    signal,
  );
  assertEquals(labels.get(1), formatLabel("diff", START, full));
});

Deno.test("repositories with pasts of their own get labels of one moment, taken seconds are waited out for all", async () => {
  const [older, newer] = [at(-600), at(-60)];
  const backups = new Map([
    [1, { type: "incr" as const, full: older }],
    [2, { type: "incr" as const, full: newer }],
    [3, { type: "full" as const }],
  ]);
  const known = [older, newer, formatLabel("diff", START, newer)];
  const labels = await chooseLabels({ startSeconds: START, backups, known }, steppingClock(), signal);
  assertEquals([...labels.values()], [
    formatLabel("incr", START, older),
    formatLabel("incr", START, newer),
    formatLabel("full", START),
  ]);
  const taken = [...known, formatLabel("incr", START, newer)];
  const later = await chooseLabels({ startSeconds: START, backups, known: taken }, steppingClock(), signal);
  assertEquals([...later.values()], [
    formatLabel("incr", START + 1, older),
    formatLabel("incr", START + 1, newer),
    formatLabel("full", START + 1),
  ]);
});
