/** Damaged and hostile block maps: every outcome is a list of blocks or an error of ours, in bounded time and memory. */
import { WalferryError } from "../../src/errors.ts";
import { type BlockShape, parseBlockMap, renderBlockMap } from "../../src/format/block_map.ts";
import { assert } from "../support/assert.ts";
import { madeUpChain } from "../support/block_chains.ts";
import { fuzzRounds, mutateBytes } from "../support/mutations.ts";
import { random } from "../support/random.ts";

const ROUNDS = fuzzRounds(20_000);
/** Longest time one map may take, milliseconds. */
const INPUT_MS = 1000;

function assertHarmless(bytes: Uint8Array, shape: BlockShape, seed: number): void {
  const startMs = performance.now();
  try {
    const items = parseBlockMap(bytes, shape);
    assert(items.length * shape.checksumBytes <= bytes.length, `seed ${seed}: more blocks than bytes`);
    for (const { block, superBlockBytes, offset, storedBytes } of items) {
      assert(block * shape.blockBytes < superBlockBytes, `seed ${seed}: a block outside of its super block`);
      assert(offset >= 0 && storedBytes >= 0 && Number.isSafeInteger(offset + storedBytes), `seed ${seed}: place`);
    }
  } catch (error) {
    assert(error instanceof WalferryError, `seed ${seed}: ${(error as Error).stack}`);
  }
  assert(performance.now() - startMs < INPUT_MS, `seed ${seed} took too long`);
}

Deno.test(`${ROUNDS} mutations of block maps give blocks that can be or an error of ours`, () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const next = random(seed);
    const { items, shape } = madeUpChain(1 + next(200)).at(-1)!;
    assertHarmless(mutateBytes(renderBlockMap(items, shape), next), shape, seed);
  }
});

Deno.test("maps that promise more than they hold, or nothing at all, end at once", () => {
  const shape = { blockBytes: 8192, checksumBytes: 6 };
  const many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  for (
    const [seed, bytes] of [
      [0, 0, 0x0a, ...many],
      [0, 1, 7, 2, ...many],
      [0, 6, ...many, ...many, ...many, ...many, ...many],
      Array.from({ length: 1_000_000 }, () => 0),
      Array.from({ length: 1_000_000 }, () => 0xff),
    ].entries()
  ) assertHarmless(Uint8Array.from(bytes), shape, -seed);
  for (const bad of [0, -1, NaN]) {
    assertHarmless(Uint8Array.from([0, 1, 0x0b, 2, 1, 2, 3, 4, 5, 6]), { blockBytes: bad, checksumBytes: 6 }, -100);
    assertHarmless(Uint8Array.from([0, 1, 0x0b, 2, 1, 2, 3, 4, 5, 6]), { blockBytes: 8192, checksumBytes: bad }, -101);
  }
});
