/** Telling a store that fails from an object that is bad: unknown is neither present nor absent, and no finding. */
import type { ErrorKind, WalferryError } from "../errors.ts";

const OF_THE_STORE: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "HostConnect",
  "Service",
  "Protocol",
  "Term",
  "Assert",
  "Unhandled",
  "Memory",
]);

/** True when the error says nothing about one object: verify cannot go on. */
export function isStoreFailure(error: WalferryError): boolean {
  return OF_THE_STORE.has(error.kind);
}
