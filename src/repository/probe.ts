/** Proof that a repository takes, gives back, lists and removes: what `check` does before it trusts one. */
import type { StorageType } from "../../backends/contract.ts";
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import { collect } from "../stream/sources.ts";
import type { Repository } from "./repository.ts";

type Step = "write" | "read" | "list" | "remove";

/** What each step needs, in the words of the store. */
const PERMISSIONS: Readonly<Partial<Record<StorageType, Readonly<Record<Step, string>>>>> = {
  s3: { write: "s3:PutObject", read: "s3:GetObject", list: "s3:ListBucket", remove: "s3:DeleteObject" },
  azure: {
    write: "blobs/write (w and c in a SAS)",
    read: "blobs/read (r)",
    list: "containers/read (l)",
    remove: "blobs/delete (d)",
  },
  gcs: {
    write: "storage.objects.create",
    read: "storage.objects.get",
    list: "storage.objects.list",
    remove: "storage.objects.delete",
  },
};
const VERBS: Readonly<Record<Step, string>> = {
  write: "written",
  read: "read back",
  list: "listed",
  remove: "removed",
};

/** What a probe found. */
export interface ProbeResult {
  /** Why the probe could not be removed: with an object lock that is as it should be, but expire cannot remove anything either. */
  readonly removal: WalferryError | undefined;
}

/**
 * Writes a small file into the stanza's archive, reads it back, lists it and removes it.
 * @throws WalferryError of the step that failed, naming the permission that it needs; a removal that is refused is no error
 */
export async function probeRepository(
  repository: Repository,
  stanza: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { storage } = repository;
  const name = `walferry-check-${crypto.randomUUID()}`;
  const path = repository.archivePath(stanza, name);
  const content = new TextEncoder().encode(`${name} ${crypto.randomUUID()}\n`);
  const attempt = async <T>(step: Step, action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      signal.throwIfAborted();
      throw stepFailure(repository, step, toWalferryError(error));
    }
  };
  await attempt("write", () => storage.write(path, content, { signal }));
  try {
    await attempt("read", async () => {
      const stream = await storage.read(path, { signal });
      const found = stream === undefined ? undefined : await collect(stream, content.length + 1);
      if (found !== undefined && sameBytes(found, content)) return;
      throw new WalferryError(
        "FileRead",
        `'${repository.display(path)}' ${
          found === undefined ? "is missing" : "has other content"
        } after it was written`,
        { hint: "the store does not give back what it took: is it consistent, is there a cache in between?" },
      );
    });
    await attempt("list", async () => {
      for await (const entry of storage.list(repository.archivePath(stanza), { prefix: name, signal })) {
        if (entry.name === name && entry.sizeBytes === content.length) return;
      }
      throw new WalferryError("PathOpen", `'${repository.display(path)}' is not listed after it was written`, {
        hint: "the store's listings lag behind: what is archived could look missing.",
      });
    });
  } catch (error) {
    await removal(repository, path);
    throw error;
  }
  return { removal: await removal(repository, path) };
}

/** Removes the probe; gives the reason when the store refuses that. */
async function removal(repository: Repository, path: string): Promise<WalferryError | undefined> {
  try {
    await repository.storage.remove(path);
    return undefined;
  } catch (error) {
    return stepFailure(repository, "remove", toWalferryError(error));
  }
}

function stepFailure(repository: Repository, step: Step, error: WalferryError): WalferryError {
  const permission = PERMISSIONS[repository.storage.type]?.[step];
  const missing = permission !== undefined && isWalferryError(error, "Access");
  return new WalferryError(error.kind, `a file cannot be ${VERBS[step]}: ${error.message}`, {
    cause: error,
    hint: missing
      ? `this needs the permission ${permission}.${error.hint === undefined ? "" : `\n${error.hint}`}`
      : error.hint,
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
