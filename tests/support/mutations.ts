/** Hostile versions of texts and bytes, chosen by a seed; and what every parser of them must keep. */
import { WalferryError } from "../../src/errors.ts";
import { assert } from "./assert.ts";
import { random } from "./random.ts";
import process from "node:process";

/** Inputs for each parser: `WALFERRY_FUZZ`, else what a short run can afford. */
export function fuzzRounds(short: number): number {
  return Number(Deno.env.get("WALFERRY_FUZZ") ?? short);
}

/** Longest time one input may take, milliseconds of this process: the machine may have other things to do. */
const INPUT_MS = 1000;
/** Memory that one input may cost at most, what is garbage behind it included, bytes. */
const MEMORY_BYTES = 200 * 1024 * 1024;

const SPICE = [
  "../",
  "/",
  "\0",
  "\n",
  "=",
  "{",
  "[",
  "]",
  '"',
  "\\",
  "\\u0000",
  "99999999999999999999",
  "-1",
  "null",
  "true",
  "é",
  "\ud800",
  "__proto__",
  "[backrest]\n",
  "constructor",
];

/** Some changes to a text: inserted, removed, repeated, cut off, other digits. */
export function mutateText(text: string, next: (below: number) => number): string {
  let result = text;
  for (let count = 1 + next(4); count > 0; count--) {
    const at = next(result.length + 1);
    const lines = result.split("\n");
    switch (next(8)) {
      case 0:
        result = result.slice(0, at) + SPICE[next(SPICE.length)]! + result.slice(at);
        break;
      case 1:
        result = result.slice(0, at) + result.slice(at + 1 + next(20));
        break;
      case 2:
        result = result.slice(0, at);
        break;
      case 3:
        lines.splice(next(lines.length), 0, lines[next(lines.length)]!);
        result = lines.join("\n");
        break;
      case 4:
        result = result.slice(0, at) + String.fromCharCode(next(256)) + result.slice(at + 1);
        break;
      case 5:
        lines.splice(next(lines.length), 1);
        result = lines.join("\n");
        break;
      case 6:
        // A whole value of another sort, as JSON that somebody else wrote.
        result = ["null", "[]", "{}", "0", '""', "true", "[null]", '{"":null}'][next(8)]!;
        break;
      default:
        result = result.replace(/\d+/, () => "9".repeat(1 + next(25)));
    }
  }
  return result;
}

/** Some changes to bytes. */
export function mutateBytes(bytes: Uint8Array, next: (below: number) => number): Uint8Array<ArrayBuffer> {
  const result = [...bytes];
  for (let count = 1 + next(4); count > 0; count--) {
    const at = next(result.length + 1);
    const noise = Array.from({ length: 1 + next(9) }, () => next(3) === 0 ? 0xff : next(256));
    switch (next(5)) {
      case 0:
        result.splice(at, 0, ...noise);
        break;
      case 1:
        result.splice(at, noise.length);
        break;
      case 2:
        result.splice(at, noise.length, ...noise);
        break;
      case 3:
        if (at < result.length) result[at]! ^= 1 << next(8);
        break;
      default:
        result.length = at;
    }
  }
  return Uint8Array.from(result);
}

/**
 * Feeds a parser with `rounds` inputs: each gives a value or an error of ours, soon and in little memory.
 * @param parse returns what it made; anything it throws beside ours fails the test with the seed
 */
export async function fuzz<Input>(
  rounds: number,
  make: (next: (below: number) => number, seed: number) => Input,
  parse: (input: Input) => unknown,
): Promise<void> {
  for (let seed = 1; seed <= rounds; seed++) {
    const input = make(random(seed), seed);
    const [start, held] = [cpuMs(), heldBytes()];
    try {
      await parse(input);
    } catch (error) {
      assert(error instanceof WalferryError, `seed ${seed}: ${error instanceof Error ? error.stack : error}`);
    }
    const [spent, grown] = [cpuMs() - start, heldBytes() - held];
    assert(spent < INPUT_MS, `seed ${seed} took ${spent} ms`);
    assert(grown < MEMORY_BYTES, `seed ${seed} took ${grown} bytes`);
  }
}

/** What the engine holds for this thread, garbage that was not collected yet included. */
function heldBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** What this process has computed so far, milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
