/** Which passphrase opens a stored file, told by its path (repository-format §8.3). */
import { WalferryError } from "../errors.ts";
import { isBackupLabel } from "../format/label.ts";
import type { Repository } from "./repository.ts";

const INFO_FILES: Readonly<Record<string, readonly string[]>> = {
  archive: ["archive.info", "archive.info.copy"],
  backup: ["backup.info", "backup.info.copy"],
};
const MANIFEST_FILES = ["backup.manifest", "backup.manifest.copy"];

/**
 * Passphrase of the file at this path; `undefined` when the repository is not encrypted.
 * @param stanza when it is given, the path must be this stanza's
 * @throws WalferryError `OptionInvalidValue` when the path belongs to no stanza; as the info file or manifest that holds the passphrase
 */
export async function storedPassphrase(
  repository: Repository,
  path: string,
  stanza: string | undefined,
): Promise<string | undefined> {
  if (repository.infoPassphrase === undefined) return undefined;
  const [top, owner, first, ...rest] = path.split("/");
  if ((top !== "archive" && top !== "backup") || owner === undefined || first === undefined) {
    throw new WalferryError("OptionInvalidValue", `unable to determine cipher passphrase for '${path}'`, {
      hint: "files of a stanza are under archive/<stanza> and backup/<stanza>; --raw takes a file as it is stored.",
    });
  }
  if (stanza !== undefined && owner !== stanza) {
    throw new WalferryError(
      "OptionInvalidValue",
      `stanza name '${stanza}' given in option doesn't match the given path`,
    );
  }
  if (rest.length === 0 && INFO_FILES[top]!.includes(first)) return await repository.infoPassphraseOf(owner, path);
  if (top === "archive") return (await repository.loadArchiveInfo(owner)).cipherPass;
  const { cipherPass } = await repository.loadBackupInfo(owner);
  if (first === "backup.history" || (rest.length === 1 && MANIFEST_FILES.includes(rest[0]!))) return cipherPass;
  return (await repository.loadManifest(owner, await labelOf(repository, owner, first), cipherPass)).cipherPass;
}

/** `latest` is a link to a label. */
async function labelOf(repository: Repository, stanza: string, name: string): Promise<string> {
  if (isBackupLabel(name)) return name;
  const destination = (await repository.storage.info(repository.backupPath(stanza, name)))?.destination;
  if (destination !== undefined && isBackupLabel(destination)) return destination;
  throw new WalferryError("FileOpen", `'${name}' is no backup of stanza '${stanza}': its passphrase is not known`);
}
