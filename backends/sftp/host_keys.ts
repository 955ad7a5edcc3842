/** Whether the key that a host shows is the host's (`repoN-sftp-host-key-check-type`). */
import { createHash, timingSafeEqual } from "node:crypto";
import { WalferryError } from "../../src/errors.ts";
import type { SftpStorageConfig } from "../config.ts";
import { knownHostName, type KnownKey, knownKeys } from "./known_hosts.ts";

/** Algorithms that a server may sign with, by the type of its key (RFC 8332 for RSA). Keys of other types cannot be checked. */
const SIGNATURES: Readonly<Record<string, readonly string[]>> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

export class HostKeyJudge {
  readonly #config: SftpStorageConfig;
  #known: readonly KnownKey[];

  /** Reads the files of known hosts where the check needs them. @throws WalferryError `FileOpen` */
  constructor(config: SftpStorageConfig) {
    this.#config = config;
    const needsFiles = config.hostKeyCheck === "strict" || config.hostKeyCheck === "accept-new";
    this.#known = needsFiles ? readKnownKeys(config) : [];
  }

  /** Algorithms to ask the server for, so that it shows a key that is known; `undefined` = any. */
  get algorithms(): string[] | undefined {
    const types = [...new Set(this.#known.filter(({ revoked }) => !revoked).map(({ type }) => type))];
    const algorithms = types.flatMap((type) => SIGNATURES[type] ?? []);
    return algorithms.length === 0 ? undefined : algorithms;
  }

  /**
   * Judges the key that the host showed; adds a new host's key where that is wanted.
   * @param key the key's bytes
   * @returns what is wrong with it
   */
  judge(key: Uint8Array): WalferryError | undefined {
    switch (this.#config.hostKeyCheck) {
      case "none":
        return undefined;
      case "fingerprint":
        return this.#judgeFingerprint(key);
      default:
        return this.#judgeKnown(key);
    }
  }

  #judgeFingerprint(key: Uint8Array): WalferryError | undefined {
    const { hostFingerprint = "", hostKeyHash = "sha256" } = this.#config;
    const digest = createHash(hostKeyHash).update(key).digest();
    const hex = hostFingerprint.replace(/^MD5:/i, "").replaceAll(":", "").toLowerCase();
    const base64 = hostFingerprint.replace(/^SHA256:/i, "").replace(/=+$/, "");
    const isSame = (a: string, b: string) =>
      a.length === b.length && timingSafeEqual(new TextEncoder().encode(a), new TextEncoder().encode(b));
    if (isSame(hex, digest.toString("hex")) || isSame(base64, digest.toString("base64").replace(/=+$/, ""))) {
      return undefined;
    }
    return new WalferryError(
      "Access",
      `${this.#host} shows a key with the ${hostKeyHash} fingerprint ${digest.toString("hex")}`,
      {
        hint:
          "repo-sftp-host-fingerprint is another one: is this the right host? If its key was changed on purpose, set the new fingerprint.",
      },
    );
  }

  #judgeKnown(key: Uint8Array, mayAccept = this.#config.hostKeyCheck === "accept-new"): WalferryError | undefined {
    const base64 = key.toBase64();
    const same = this.#known.filter((known) => known.key === base64);
    const revoked = same.find((known) => known.revoked);
    if (revoked !== undefined) {
      return new WalferryError(
        "Access",
        `${this.#host} shows a key that is revoked at line ${revoked.line} of '${revoked.file}'`,
      );
    }
    if (same.length > 0) return undefined;
    const other = this.#known.find((known) => !known.revoked);
    if (other !== undefined) {
      return new WalferryError(
        "Access",
        `${this.#host} shows another key than the one at line ${other.line} of '${other.file}'`,
        { hint: "somebody may be between you and the host. If its key was changed on purpose, replace that line." },
      );
    }
    if (mayAccept) return this.#accept(key, base64);
    return new WalferryError("Access", `${this.#host} is not in the files of known hosts`, {
      hint: `add it (ssh-keyscan -p ${this.#config.port} ${this.#config.host}, compare the fingerprint), or set ` +
        "repo-sftp-host-key-check-type=accept-new.",
    });
  }

  /** Adds the key to the first file of known hosts. */
  #accept(key: Uint8Array, base64: string): WalferryError | undefined {
    const [file] = knownHostFiles(this.#config);
    if (file === undefined) {
      return new WalferryError("Access", `${this.#host} is new and there is no file of known hosts to add it to`, {
        hint: "set repo-sftp-known-host.",
      });
    }
    // Another thread or process may have met the host in the meantime: its word counts, and stands there once.
    this.#known = readKnownKeys(this.#config);
    if (this.#known.length > 0) return this.#judgeKnown(key, false);
    const type = keyType(key);
    const line = `${knownHostName(this.#config.host, this.#config.port)} ${type} ${base64}\n`;
    try {
      makeFolderOf(file);
      const present = readIfThere(file);
      // A last line without an end would swallow the new one, and the host would be new for ever.
      const separator = present === "" || present.endsWith("\n") ? "" : "\n";
      Deno.writeTextFileSync(file, separator + line, { append: true, create: true, mode: 0o600 });
      this.#known = readKnownKeys(this.#config);
    } catch (error) {
      return new WalferryError(
        "FileWrite",
        `the new host ${this.#host} cannot be added to '${file}': ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
    return undefined;
  }

  get #host(): string {
    return `host ${knownHostName(this.#config.host, this.#config.port)}`;
  }
}

/** Files in the order in which they are asked. */
export function knownHostFiles({ knownHostFiles, homePath }: SftpStorageConfig): readonly string[] {
  if (knownHostFiles !== undefined) {
    return knownHostFiles.map((
      file,
    ) => (file.startsWith("~/") && homePath !== undefined ? homePath + file.slice(1) : file));
  }
  const home = homePath === undefined ? [] : [`${homePath}/.ssh/known_hosts`, `${homePath}/.ssh/known_hosts2`];
  return [...home, "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
}

function readKnownKeys(config: SftpStorageConfig): KnownKey[] {
  return knownHostFiles(config).flatMap((file) => knownKeys(readIfThere(file), file, config.host, config.port));
}

/** Makes the directory in which a file of known hosts is to be. */
export function makeFolderOf(file: string): void {
  Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")) || "/", { recursive: true, mode: 0o700 });
}

/** A file that is not there knows nobody. */
function readIfThere(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new WalferryError("FileOpen", `unable to open file '${file}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The key's bytes begin with the name of its type as a string with its length. */
function keyType(key: Uint8Array): string {
  const length = new DataView(key.buffer, key.byteOffset, key.length).getUint32(0);
  return new TextDecoder().decode(key.subarray(4, 4 + length));
}
