/**
 * SHA-1, the hash of the repository format, piece by piece: by the host's library where it has one that will do, else by the runtime.
 */
import { BUILT_IN } from "./codec.ts";
import { openSystemSha1 } from "./system_sha1.ts";

/** The hash of one content. */
export interface Sha1 {
  /** Takes the next bytes, and is done with them when it comes back. */
  update(bytes: Uint8Array): void;
  /** 40 lower-case hex digits. It ends the hash: nothing may be called behind it. */
  digestHex(): string;
}

/** Who computes hashes. */
export interface Sha1Maker {
  /** Who does the work, in words. */
  readonly origin: string;
  begin(): Sha1;
  /** The hash of bytes at hand. */
  hexOf(bytes: Uint8Array): string;
}

/** What this thread has in use: a library is opened once. */
let maker: Sha1Maker | undefined;

/** The one that this host has: both give the same, and are as quick as each other. */
export function sha1(): Sha1Maker {
  return maker ??= openSystemSha1() ?? builtInSha1();
}

/** By the runtime. Asked for here and not imported: what it loads along takes longer than a short command. */
export function builtInSha1(): Sha1Maker {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return {
    origin: BUILT_IN,
    begin: () => {
      const hash = createHash("sha1");
      return { update: (bytes) => void hash.update(bytes), digestHex: () => hash.digest("hex") };
    },
    hexOf: (bytes) => createHash("sha1").update(bytes).digest("hex"),
  };
}
