/** What objects must be that are missing or damaged, kept for repair: how to tell a right one from a wrong one. */
import type { ObjectRequest, PartRequest } from "./object_job.ts";

/** So many are kept; who has lost more takes a new backup. */
const KEPT_MAX = 10_000;

export class DamagedObjects {
  readonly #requests = new Map<string, ObjectRequest>();

  /** Parts of one object that come in several requests are put together. */
  add({ path, parts }: ObjectRequest): void {
    const before = this.#requests.get(path);
    if (before === undefined && this.#requests.size >= KEPT_MAX) return;
    const all = new Map<number, PartRequest>(
      [...(before?.parts ?? []), ...parts].map((part) => [part.offsetBytes, part]),
    );
    this.#requests.set(path, { path, parts: [...all.values()].sort((a, b) => a.offsetBytes - b.offsetBytes) });
  }

  get(path: string): ObjectRequest | undefined {
    return this.#requests.get(path);
  }
}
