/** One stream for several readers, in step: memory holds one chunk, and the slowest reader sets the pace. */
import type { ByteStream } from "./byte_stream.ts";

/** One of the copies. */
export interface TeeBranch extends ByteStream {
  /**
   * Takes this copy out, so that the others no longer wait for it. A reader that leaves its iteration does so by itself; whoever gives a
   * branch to something that may fail before it reads must call this when it does.
   */
  drop(): void;
}

interface Request {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Splits a stream. The chunks are shared, not copied: no reader may change them. An error of the source reaches every branch; when all
 * branches have gone the source is closed.
 */
export function tee(source: ByteStream, branches: number): TeeBranch[] {
  const iterator = source[Symbol.asyncIterator]();
  const live = new Set<number>();
  const waiting = new Map<number, Request>();
  let ended: { readonly error: unknown } | "done" | undefined;

  // The source is asked once every live branch has asked: that is the back-pressure.
  const advance = async (): Promise<void> => {
    if (live.size === 0 && ended === undefined) {
      ended = "done";
      await iterator.return?.();
      return;
    }
    if (waiting.size === 0 || waiting.size < live.size) return;
    const requests = [...waiting.values()];
    waiting.clear();
    try {
      const result = await iterator.next();
      if (result.done) ended = "done";
      for (const request of requests) request.resolve(result.done ? { done: true, value: undefined } : result);
    } catch (error) {
      ended = { error };
      for (const request of requests) request.reject(error);
    }
  };

  const branch = (index: number): TeeBranch => {
    live.add(index);
    const drop = () => {
      if (!live.delete(index)) return;
      waiting.delete(index);
      // A failure to close the source has no reader left that it could reach.
      advance().catch(() => undefined);
    };
    return {
      drop,
      [Symbol.asyncIterator]: () => ({
        next: () => {
          if (ended === "done" || !live.has(index)) return Promise.resolve({ done: true, value: undefined });
          if (ended !== undefined) return Promise.reject(ended.error);
          return new Promise((resolve, reject) => {
            waiting.set(index, { resolve, reject });
            advance();
          });
        },
        return: () => {
          drop();
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  };
  return Array.from({ length: branches }, (_, index) => branch(index));
}
