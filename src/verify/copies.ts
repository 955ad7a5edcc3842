/** Info files and manifests: each is stored twice, and both must say the same. */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { drain } from "../stream/sources.ts";
import type { Finding, FindingKind } from "./finding.ts";
import { isStoreFailure } from "../repository/store_failure.ts";

/** How to read one kind of file. */
export interface CopiedFile<T> {
  readonly path: string;
  /** Decrypted content of it or of its copy; `undefined` when that is proved absent. */
  readonly read: (path: string) => Promise<ByteStream | undefined>;
  readonly decode: (content: ByteStream) => Promise<T>;
  /** Why what was read is not what this file must be, although it is whole; `undefined` when it is. */
  readonly misplaced?: (value: T) => string | undefined;
  /** Whether the copy is the one that holds, where both can be read and differ. Default: the file itself does. */
  readonly isOlder?: (main: T, copy: T) => Promise<boolean> | boolean;
}

/** One of the two. */
type Loaded<T> =
  | { readonly ok: true; readonly value: T | undefined; readonly hash: string }
  | { readonly ok: false; readonly kind: FindingKind; readonly message: string };

/**
 * Reads a file and its copy.
 * @param add hears what is wrong with either
 * @returns the value of the first that is good
 * @throws WalferryError of the store
 */
export async function loadBoth<T>(
  file: CopiedFile<T>,
  add: (finding: Finding) => void,
): Promise<T | undefined> {
  let [main, copy] = await loadPair(file);
  // Somebody may have written one and be about to write the other.
  if (differ(main, copy)) [main, copy] = await loadPair(file);
  for (const [path, loaded] of [[file.path, main], [`${file.path}.copy`, copy]] as const) {
    if (loaded.ok) continue;
    add({ kind: loaded.kind, severity: "damage", path, message: loaded.message });
  }
  if (differ(main, copy)) {
    add({
      kind: "mismatch",
      severity: "damage",
      path: `${file.path}.copy`,
      message: `it does not say the same as ${file.path.slice(file.path.lastIndexOf("/") + 1)}`,
    });
    const [first, second] = [main, copy].map((loaded) => (loaded.ok ? loaded.value : undefined));
    if (first !== undefined && second !== undefined && await file.isOlder?.(first, second)) return second;
  }
  return main.ok ? main.value : copy.ok ? copy.value : undefined;
}

async function loadPair<T>(file: CopiedFile<T>): Promise<[Loaded<T>, Loaded<T>]> {
  const main = await loadOne(file, file.path);
  return [main, await loadOne(file, `${file.path}.copy`, main)];
}

/** @param same what is equal to it, byte for byte, need not be understood again */
async function loadOne<T>(
  file: CopiedFile<T>,
  path: string,
  same?: Loaded<T>,
): Promise<Loaded<T>> {
  try {
    if (same?.ok) {
      const meter = new Sha1Meter();
      await drain(meter.through(await open(file, path)));
      if (meter.digestHex() === same.hash) return { ok: true, value: undefined, hash: same.hash };
    }
    const meter = new Sha1Meter();
    const value = await file.decode(meter.through(await open(file, path)));
    const message = file.misplaced?.(value);
    if (message !== undefined) return { ok: false, kind: "mismatch", message };
    return { ok: true, value, hash: meter.digestHex() };
  } catch (thrown) {
    const error = toWalferryError(thrown);
    if (isStoreFailure(error)) throw error;
    return { ok: false, kind: kindOf(error), message: messageOf(error) };
  }
}

async function open<T>(file: CopiedFile<T>, path: string): Promise<ByteStream> {
  const stream = await file.read(path);
  if (stream === undefined) throw new WalferryError("FileMissing", "it is not there");
  return stream;
}

function differ<T>(main: Loaded<T>, copy: Loaded<T>): boolean {
  return main.ok && copy.ok && main.hash !== copy.hash;
}

/** What kind of finding a file is that could not be loaded. */
export function kindOf({ kind }: WalferryError): FindingKind {
  if (kind === "FileMissing") return "missing";
  return kind === "Format" || kind === "JsonFormat" || kind === "Checksum" || kind === "Crypto"
    ? "checksum"
    : "unreadable";
}

function messageOf(error: WalferryError): string {
  return error.kind === "FileMissing" ? "it is not there" : `it cannot be used: ${error.message}`;
}
