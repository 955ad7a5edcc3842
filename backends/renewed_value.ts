/** Something that ends (keys, a token): fetched once for all who ask, and anew shortly before its end. */

/** It is renewed this many milliseconds before it ends. */
const RENEW_BEFORE = 5 * 60_000;

export interface EndingValue<T> {
  readonly value: T;
  /** Milliseconds since the epoch; `Infinity` = never. */
  readonly endMs: number;
}

export class RenewedValue<T> {
  readonly #fetch: () => Promise<EndingValue<T>>;
  #current: Promise<EndingValue<T>> | undefined;
  #endMs = Infinity;

  constructor(fetch: () => Promise<EndingValue<T>>) {
    this.#fetch = fetch;
  }

  /** A value that is good for some minutes. @throws what fetching it threw; the next call tries again */
  async get(): Promise<T> {
    if (this.#current === undefined || Date.now() > this.#endMs - RENEW_BEFORE) {
      this.#endMs = Infinity;
      this.#current = this.#fetch();
    }
    const current = this.#current;
    try {
      const { value, endMs } = await current;
      if (this.#current === current) this.#endMs = endMs;
      return value;
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  /** Whoever took it says that it is no longer good: the next call fetches another. */
  forget(): void {
    this.#current = undefined;
  }
}
