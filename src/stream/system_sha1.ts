/**
 * SHA-1 by the host's libcrypto, which PostgreSQL's own packages bring: as quick as the runtime's, but the runtime's comes with half of node's
 * library, in every thread (docs/decisions/0021). Source: sha.h of OpenSSL 3.
 */
import type { Sha1, Sha1Maker } from "./sha1.ts";
import { openSystemLibrary } from "./system_library.ts";

/** In OpenSSL 1.1.1 of some distributions these functions end the process when the host keeps to FIPS 140. */
const FILE_NAME = "libcrypto.so.3";

/** SHA_CTX has 96: five words of state, two of length, a block of 64 bytes, a count. */
const CONTEXT_BYTES = 128;
const DIGEST_BYTES = 20;

/** They need no memory of the library's own, and nothing that it would have to prepare. */
const FUNCTIONS = {
  SHA1_Init: { parameters: ["buffer"], result: "i32" },
  SHA1_Update: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  SHA1_Final: { parameters: ["buffer", "buffer"], result: "i32" },
  SHA1: { parameters: ["buffer", "usize", "buffer"], result: "pointer" },
} as const;

type Library = Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];

/** The hash by the host's library; undefined where there is none that will do. */
export function openSystemSha1(): Sha1Maker | undefined {
  const library = openSystemLibrary(FILE_NAME, FUNCTIONS);
  if (library === undefined) return undefined;
  const maker: Sha1Maker = {
    origin: `the host's ${FILE_NAME}`,
    begin: () => new SystemSha1(library),
    hexOf: (bytes) => hexOf(library, bytes),
  };
  return isRight(maker) ? maker : undefined;
}

/** Source: FIPS 180-2, appendix A.1. */
function isRight(maker: Sha1Maker): boolean {
  const [text, expected] = [new TextEncoder().encode("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"];
  const hash = maker.begin();
  hash.update(text);
  return hash.digestHex() === expected && maker.hexOf(text) === expected;
}

/** Where digests are put, one at a time. */
const digest = new Uint8Array(new ArrayBuffer(DIGEST_BYTES));

class SystemSha1 implements Sha1 {
  readonly #library: Library;
  readonly #context = new Uint8Array(CONTEXT_BYTES);

  constructor(library: Library) {
    this.#library = library;
    library.SHA1_Init(this.#context);
  }

  update(bytes: Uint8Array): void {
    this.#library.SHA1_Update(this.#context, bytes as Uint8Array<ArrayBuffer>, BigInt(bytes.length));
  }

  digestHex(): string {
    this.#library.SHA1_Final(digest, this.#context);
    return digest.toHex();
  }
}

function hexOf(library: Library, bytes: Uint8Array): string {
  library.SHA1(bytes as Uint8Array<ArrayBuffer>, BigInt(bytes.length), digest);
  return digest.toHex();
}
