/** Files of known hosts as OpenSSH writes them (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/** A key of a host, and where it stands. */
export interface KnownKey {
  /** `ssh-ed25519` ... */
  readonly type: string;
  /** The key's bytes in base64. */
  readonly key: string;
  readonly revoked: boolean;
  readonly file: string;
  readonly line: number;
}

/** How a host is written there: the port is part of the name when it is not 22. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** Keys that a file knows for a host. Lines of certificate authorities are not used. */
export function knownKeys(text: string, file: string, host: string, port: number): KnownKey[] {
  const name = knownHostName(host, port).toLowerCase();
  return text.split("\n").flatMap((raw, index): KnownKey[] => {
    const words = raw.trim().split(/\s+/);
    if (words[0] === "" || words[0]!.startsWith("#")) return [];
    const marker = words[0]!.startsWith("@") ? words.shift()! : "";
    const [names, type, key] = words;
    if (marker === "@cert-authority" || names === undefined || type === undefined || key === undefined) return [];
    if (!matches(names, name)) return [];
    return [{ type, key, revoked: marker === "@revoked", file, line: index + 1 }];
  });
}

function matches(names: string, name: string): boolean {
  if (names.startsWith("|1|")) {
    const [, , salt, hash] = names.split("|");
    if (salt === undefined || hash === undefined) return false;
    // Lenient with a salt that is none: such a line knows nobody, and the others count.
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
  }
  let found = false;
  for (const pattern of names.toLowerCase().split(",")) {
    const negated = pattern.startsWith("!");
    const body = negated ? pattern.slice(1) : pattern;
    const expression = body.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    if (!new RegExp(`^${expression}$`).test(name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}
