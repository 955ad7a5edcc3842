/** `archive.info` as values (repository-format §2.5): which clusters this stanza's WAL archive has belonged to. */
import { WalferryError } from "../errors.ts";
import { parseInfoFile, renderInfoFile } from "./info_file.ts";
import { InfoValues } from "./info_values.ts";
import { renderJson, renderString } from "./json.ts";

/** One cluster that the stanza has belonged to. */
export interface ArchiveHistoryEntry {
  /** History id, 1 for the first. */
  readonly id: number;
  /** `15`, `9.6`. */
  readonly pgVersion: string;
  readonly systemId: bigint;
}

export interface ArchiveInfo {
  /** Version of the last writer. */
  backrestVersion: string;
  /** Id of the current entry of the history. */
  currentId: number;
  /** Oldest first. */
  history: ArchiveHistoryEntry[];
  /** Passphrase of everything in the archive, only in encrypted repositories. */
  cipherPass?: string;
}

/** The entry that is current. */
export function currentHistoryEntry<T extends { readonly id: number }>(
  info: { currentId: number; history: readonly T[] },
): T {
  const entry = info.history.find(({ id }) => id === info.currentId);
  if (entry === undefined) throw new WalferryError("Format", "unable to find current id in history");
  return entry;
}

/** @throws WalferryError `Format`, `JsonFormat` or `Checksum` */
export function parseArchiveInfo(text: string): ArchiveInfo {
  const { lines, backrestVersion } = parseInfoFile(text);
  const history = lines.filter(({ section }) => section === "db:history").map((line) => {
    const values = InfoValues.ofLine(line);
    // In this file "db-id" of a history line holds the system identifier, an old mistake that is part of the format.
    return { id: historyId(line.key), pgVersion: values.string("db-version"), systemId: values.bigint("db-id") };
  });
  const info: ArchiveInfo = {
    backrestVersion,
    currentId: InfoValues.ofSection(lines, "db").integer("db-id"),
    history: checkedHistory(history),
    cipherPass: InfoValues.ofSection(lines, "cipher").optionalString("cipher-pass"),
  };
  currentHistoryEntry(info);
  return info;
}

/** Text of the file. */
export function renderArchiveInfo(info: ArchiveInfo): string {
  const current = currentHistoryEntry(info);
  return [...renderInfoFile(info.backrestVersion, [
    ["cipher", info.cipherPass === undefined ? [] : [["cipher-pass", renderString(info.cipherPass)]]],
    ["db", [
      ["db-id", String(info.currentId)],
      ["db-system-id", String(current.systemId)],
      ["db-version", renderString(current.pgVersion)],
    ]],
    [
      // In the order of the numbers, not of their text: readers take the last line for the newest cluster.
      "db:history",
      info.history.map((entry) =>
        [String(entry.id), renderJson({ "db-id": entry.systemId, "db-version": entry.pgVersion })] as const
      ),
    ],
  ])].join("");
}

/** The number in front of a history line. @throws WalferryError `Format` */
export function historyId(key: string): number {
  if (!/^[1-9]\d{0,8}$/.test(key)) throw new WalferryError("Format", `'${key.slice(0, 20)}' is not a history id`);
  return Number(key);
}

/** Orders a history and refuses what cannot be one. @throws WalferryError `Format` */
export function checkedHistory<T extends { readonly id: number; readonly pgVersion: string }>(history: T[]): T[] {
  if (history.length === 0) throw new WalferryError("Format", "history is missing");
  for (const { pgVersion } of history) {
    // The version becomes part of a path (archive id), so nothing but a version may pass.
    if (!/^\d{1,3}(\.\d{1,3})?$/.test(pgVersion)) {
      throw new WalferryError("Format", `'${pgVersion.slice(0, 20)}' is not a PostgreSQL version`);
    }
  }
  history.sort((a, b) => a.id - b.id);
  const twice = history.find(({ id }, index) => id === history[index + 1]?.id);
  if (twice !== undefined) throw new WalferryError("Format", `history id ${twice.id} stands twice`);
  return history;
}
