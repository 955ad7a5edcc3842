/**
 * A store whose traffic keeps below a limit (`repoN-max-rate`). All threads of the process share one account: a point in time before which
 * nobody may send or take more, moved on by whoever takes his turn.
 */
import { systemClock } from "../src/process/clock.ts";
import type { ByteStream } from "../src/stream/byte_stream.ts";
import type { RateLimit } from "./config.ts";
import type { ListOptions, ReadOptions, Storage, StorageEntry, WriteOptions } from "./contract.ts";

/** A turn this far away, in microseconds, comes from a clock that was set back: the account begins anew. */
const FARTHEST_TURN = 600_000_000n;

/** Waits for the turn of so many bytes. */
export class RateAccount {
  readonly #bytesPerSecond: number;
  /** Microseconds since the epoch at which the next one may go. */
  readonly #nextTurn: BigInt64Array;

  constructor({ bytesPerSecond, account }: RateLimit) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#nextTurn = new BigInt64Array(account);
  }

  async spend(bytes: number, signal?: AbortSignal): Promise<void> {
    const costs = BigInt(Math.ceil((bytes / this.#bytesPerSecond) * 1e6));
    for (;;) {
      const now = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
      const next = Atomics.load(this.#nextTurn, 0);
      const turn = next < now || next > now + FARTHEST_TURN + costs ? now : next;
      if (Atomics.compareExchange(this.#nextTurn, 0, next, turn + costs) !== next) continue;
      if (turn > now) await systemClock.sleep(Number(turn - now) / 1000, signal);
      return;
    }
  }

  /** The same stream, chunk by chunk at its turn. */
  async *through(source: ByteStream, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await this.spend(chunk.length, signal);
      yield chunk;
    }
  }
}

export class RateLimitedStorage implements Storage {
  readonly type: Storage["type"];
  readonly features: Storage["features"];
  readonly location: string;
  readonly unfinishedUploads: Storage["unfinishedUploads"];
  readonly #inner: Storage;
  readonly #account: RateAccount;

  constructor(inner: Storage, limit: RateLimit) {
    this.type = inner.type;
    this.features = inner.features;
    this.location = inner.location;
    this.unfinishedUploads = inner.unfinishedUploads;
    this.#inner = inner;
    this.#account = new RateAccount(limit);
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    const stream = await this.#inner.read(path, options);
    return stream === undefined ? undefined : this.#account.through(stream, options.signal);
  }

  async write(path: string, source: Uint8Array | ByteStream, options: WriteOptions = {}): Promise<void> {
    if (source instanceof Uint8Array) {
      // It goes in one piece: its turn is that of its first byte, and the next one waits for its last.
      await this.#account.spend(source.length, options.signal);
      await this.#inner.write(path, source, options);
    } else {
      await this.#inner.write(path, this.#account.through(source, options.signal), options);
    }
  }

  list(path: string, options?: ListOptions): AsyncIterable<StorageEntry> {
    return this.#inner.list(path, options);
  }
  info(path: string, signal?: AbortSignal): Promise<StorageEntry | undefined> {
    return this.#inner.info(path, signal);
  }
  remove(path: string, signal?: AbortSignal): Promise<void> {
    return this.#inner.remove(path, signal);
  }
  removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
    return this.#inner.removeMany(paths, signal);
  }
  removeTree(path: string, signal?: AbortSignal): Promise<void> {
    return this.#inner.removeTree(path, signal);
  }
  makePath(path: string): Promise<void> {
    return this.#inner.makePath(path);
  }
  syncPath(path: string): Promise<void> {
    return this.#inner.syncPath(path);
  }
  symlink(path: string, destination: string): Promise<void> {
    return this.#inner.symlink(path, destination);
  }
  hardlink(existing: string, path: string): Promise<void> {
    return this.#inner.hardlink(existing, path);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
