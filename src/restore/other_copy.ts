/** For which failures of a repository another one may have what is right. */
import type { ErrorKind, WalferryError } from "../errors.ts";

const OTHER_COPY_MAY_HELP: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "Checksum",
  "FileMissing",
  "FileOpen",
  "FileRead",
  "Format",
  "JsonFormat",
  "Crypto",
  "Access",
  "Service",
  "HostConnect",
  "Protocol",
]);

/** True when asking another repository is worth it. */
export function mayOtherCopyHelp({ kind }: WalferryError): boolean {
  return OTHER_COPY_MAY_HELP.has(kind);
}
