/** What a repository holds below a path, in an order that people can read, one directory in memory at a time. */
import type { Storage, StorageEntry } from "../../backends/contract.ts";
import { compareBytes } from "../format/json.ts";

export interface TreeListingOptions {
  readonly recurse: boolean;
  readonly sort: "asc" | "desc" | "none";
  readonly signal: AbortSignal;
}

/**
 * Entries below a path, names relative to it. Ascending, a directory stands in front of what is in it; descending is exactly the
 * opposite order.
 */
export async function* listTree(
  storage: Storage,
  path: string,
  options: TreeListingOptions,
): AsyncGenerator<StorageEntry> {
  if (options.sort === "none") yield* storage.list(path, { recurse: options.recurse, signal: options.signal });
  else yield* sorted(storage, path, "", options);
}

async function* sorted(
  storage: Storage,
  path: string,
  below: string,
  options: TreeListingOptions,
): AsyncGenerator<StorageEntry> {
  const entries: StorageEntry[] = [];
  for await (const entry of storage.list(path, { signal: options.signal })) entries.push(entry);
  const sign = options.sort === "asc" ? 1 : -1;
  entries.sort((a, b) => sign * compareBytes(a.name, b.name));
  for (const entry of entries) {
    const named = { ...entry, name: `${below}${entry.name}` };
    if (sign === 1) yield named;
    if (options.recurse && entry.type === "path") {
      yield* entry.name.includes("\n")
        ? belowUnaskable(storage, path, entry.name, below, options)
        : sorted(storage, path === "" ? entry.name : `${path}/${entry.name}`, `${named.name}/`, options);
    }
    if (sign === -1) yield named;
  }
}

/** What is in a directory that no store is asked for by its name (contract.ts, "Names"): it is found below the directory above it. */
async function* belowUnaskable(
  storage: Storage,
  parent: string,
  name: string,
  below: string,
  { sort, signal }: TreeListingOptions,
): AsyncGenerator<StorageEntry> {
  const entries: StorageEntry[] = [];
  for await (const entry of storage.list(parent, { recurse: true, prefix: `${name}/`, signal })) entries.push(entry);
  // Below every other character, which no name holds: a directory stands in front of what is in it.
  const place = (entry: StorageEntry) => entry.name.replaceAll("/", "\0");
  entries.sort((a, b) => (sort === "asc" ? 1 : -1) * compareBytes(place(a), place(b)));
  for (const entry of entries) yield { ...entry, name: `${below}${entry.name}` };
}
