/**
 * Repositories in memory that trouble can come over, and a clock on which nobody has to wait: what pushing, getting and healing do is their
 * own code, only the stores' tempers and the time are made up, from a seed.
 */
import type { ListOptions, Storage } from "../../backends/contract.ts";
import { type MemoryFiles, MemoryStorage } from "../../backends/memory.ts";
import { WalferryError } from "../../src/errors.ts";
import { setImmediate } from "node:timers";
import type { Clock } from "../../src/process/clock.ts";

/** Numbers that look like chance and are the same for the same seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0;
  }

  /** 0 to 1. */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  is(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** How a store behaves. */
export type Temper = "well" | "refuses" | "hangs" | "loses answers" | "moody";

/** A store that says nothing is given up after so long. */
const REQUEST_LIMIT_MS = 60_000;

/** A store with a temper. What it does for real it does to its files in memory, which outlive every process. */
export class TroubledStore {
  readonly files: MemoryFiles = new Map();
  temper: Temper = "well";
  readonly #chance: Chance;
  readonly #clock: Clock;

  constructor(chance: Chance, clock: Clock) {
    this.#chance = chance;
    this.#clock = clock;
  }

  /** As one process sees it; `isDead` tells whether that process was killed: then nothing happens any more. */
  open(name: string, isDead: () => boolean, onStep: () => void): Storage {
    const storage = new MemoryStorage({ type: "memory", path: name }, this.files);
    return new Proxy<Storage>(storage, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property === "list") {
          const before = (options: unknown) => this.#before([options], isDead, onStep);
          const list = storage.list.bind(storage);
          return async function* (path: string, options?: ListOptions) {
            await before(options);
            yield* list(path, options);
          };
        }
        return async (...args: unknown[]) => {
          const after = await this.#before(args, isDead, onStep);
          const result = await Reflect.apply(value, target, args);
          after();
          return result;
        };
      },
    });
  }

  async #before(args: unknown[], isDead: () => boolean, onStep: () => void): Promise<() => void> {
    onStep();
    if (isDead()) throw new Error("the process was killed");
    const temper = this.temper === "moody"
      ? (["well", "refuses", "loses answers"] as const)[this.#chance.below(3)]!
      : this.temper;
    const refuse = () => {
      throw new WalferryError("Service", "the store refuses");
    };
    if (temper === "refuses") refuse();
    if (temper === "hangs") {
      const signal = args.map((arg) => arg instanceof AbortSignal ? arg : (arg as { signal?: AbortSignal })?.signal)
        .find(Boolean);
      await this.#clock.sleep(REQUEST_LIMIT_MS, signal);
      refuse();
    }
    return temper === "loses answers" ? refuse : () => {};
  }
}

/** Time goes to the next one who sleeps as soon as nobody else has anything to do. */
export class HurriedClock implements Clock {
  #nowMs = 1_800_000_000_000;
  readonly #sleepers: { readonly dueMs: number; readonly wake: () => void }[] = [];
  #isDriving = false;

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper = { dueMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        const at = this.#sleepers.indexOf(sleeper);
        if (at !== -1) this.#sleepers.splice(at, 1);
        reject(signal.reason);
      }, { once: true });
      void this.#drive();
    });
  }

  async #drive(): Promise<void> {
    if (this.#isDriving) return;
    this.#isDriving = true;
    while (this.#sleepers.length > 0) {
      // Everything that does not truly wait is done within some turns of the event loop.
      for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      this.#sleepers.sort((a, b) => a.dueMs - b.dueMs);
      const next = this.#sleepers.shift();
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
    }
    this.#isDriving = false;
  }
}
