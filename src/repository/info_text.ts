/** `info` as text, in pgBackRest's shape, which people and scripts read (behaviour spec §7.6). */
import { withoutControls } from "../report/shown_text.ts";
import { formatLocalTime, formatPercent, formatSize, formatUtcOffset } from "../report/units.ts";
import { describeArchiveState } from "./archive_state.ts";
import { type ArchiveRange, type BackupRow, INFO_STATUS, type InfoStatus, type StanzaInfo } from "./info_data.ts";
import { byStop, damagedFiles } from "./info_json.ts";
import { PIN } from "./keep.ts";
import { verificationLines, walLines } from "./outlook_text.ts";

/** The whole answer with its line end. */
export function renderInfoText(
  stanzas: readonly StanzaInfo[],
  detailLevel: "full" | "progress",
  nowMs: number,
): string {
  if (stanzas.length === 0) return "No stanzas exist in the repository.\n";
  // Notes, names of databases and places of tablespaces are whatever somebody typed.
  return withoutControls(stanzas.map((stanza) => stanzaText(stanza, detailLevel, nowMs)).join("\n"));
}

function stanzaText(stanza: StanzaInfo, detailLevel: "full" | "progress", nowMs: number): string {
  let text = `stanza: ${stanza.name}\n    status: ${statusText(stanza.status)}${lockText(stanza)}\n`;
  text += repositoryStatusText(stanza);
  for (const line of describeArchiveState(stanza.archive, nowMs)) text += `        ${line}\n`;
  for (const line of stanza.repositories.flatMap(verificationLines)) text += `        ${line}\n`;
  if (stanza.status.code === INFO_STATUS.missingPath.code) return text;
  if (detailLevel === "progress") return text;
  const ciphers = new Set(stanza.repositories.map(({ cipher }) => cipher));
  text += `    cipher: ${ciphers.size > 1 ? "mixed" : [...ciphers][0]}\n`;
  if (ciphers.size > 1) {
    for (const { key, cipher } of stanza.repositories) {
      text += `        repo${key}: ${cipher}\n`;
    }
  }
  return text + databasesText(stanza);
}

function statusText(status: InfoStatus): string {
  if (status.code === INFO_STATUS.ok.code) return "ok";
  if (status.code === INFO_STATUS.mixed.code) return "mixed";
  return `error (${status.code === INFO_STATUS.other.code ? "other" : status.message})`;
}

function lockText(stanza: StanzaInfo): string {
  const running = [["backup/expire", stanza.backupLock], ["restore", stanza.restoreLock]] as const;
  const parts = running.filter(([, lock]) => lock.held).map(([name, { progress }]) => {
    const done = progress === undefined ? "" : ` - ${formatPercent(progress.doneBytes, progress.sizeBytes)} complete`;
    return `${name} running${done}`;
  });
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** What is wrong with each repository, where the status of the stanza does not say it. */
function repositoryStatusText({ status: { code }, repositories }: StanzaInfo): string {
  const isOther = (status: InfoStatus) => status.code === INFO_STATUS.other.code;
  const indented = (message: string, columns: number) =>
    message.split("\n").map((line) => `${" ".repeat(columns)}${line}\n`).join("");
  if (code === INFO_STATUS.other.code && repositories.length === 1) {
    return indented(repositories[0]!.status.message, 12);
  }
  if (code !== INFO_STATUS.other.code && code !== INFO_STATUS.mixed.code) return "";
  return repositories.map(({ key, status }) =>
    `        repo${key}: ${statusText(status)}\n${isOther(status) ? indented(status.message, 15) : ""}`
  ).join("");
}

/** Clusters from the oldest to the current one, each with its WAL and its backups. */
function databasesText(stanza: StanzaInfo): string {
  const archives = stanza.repositories.flatMap((repository) => repository.archives);
  const backups = stanza.repositories.flatMap((repository) => repository.backups).sort(byStop);
  const ids = [
    ...new Set([...archives.map(({ historyId }) => historyId), ...backups.map(({ entry }) => entry.historyId)]),
  ];
  let text = "";
  for (const id of ids.sort((a, b) => a - b)) {
    const own = archives.filter(({ historyId }) => historyId === id);
    const ownBackups = backups.filter(({ entry }) => entry.historyId === id);
    const isCurrent = own.some((range) => range.isCurrent) || ownBackups.some((row) => row.isCurrent);
    text += `\n    db (${isCurrent ? "current" : "prior"})\n`;
    text += walText(own);
    for (const line of stanza.repositories.flatMap((one) => walLines(one, id))) text += `        ${line}\n`;
    for (const rows of byLabel(ownBackups)) text += backupText(rows);
  }
  return text;
}

function walText(ranges: readonly ArchiveRange[]): string {
  const present = ranges.filter(({ min }) => min !== undefined);
  const version = ranges[0]?.pgVersion ?? "";
  if (present.length === 0) {
    return ranges.length === 0 ? "" : `        wal archive min/max (${version}): none present\n`;
  }
  const min = present.map((range) => range.min!).sort()[0];
  const max = present.map((range) => range.max!).sort().at(-1);
  return `        wal archive min/max (${version}): ${min}/${max}\n`;
}

/** The same backup in several repositories is shown once, with a line for each. */
function byLabel(rows: readonly BackupRow[]): BackupRow[][] {
  const groups = new Map<string, BackupRow[]>();
  for (const row of rows) groups.set(row.entry.label, [...(groups.get(row.entry.label) ?? []), row]);
  return [...groups.values()];
}

function backupText(rows: readonly BackupRow[]): string {
  const { entry, manifest } = rows[0]!;
  const time = (seconds: number) => `${formatLocalTime(seconds * 1000)}${formatUtcOffset(seconds * 1000)}`;
  const line = (text: string) => `            ${text}\n`;
  let text = `\n        ${entry.type} backup: ${entry.label}\n`;
  text += line(`timestamp start/stop: ${time(entry.timestampStart)} / ${time(entry.timestampStop)}`);
  text += line(
    entry.archiveStart === undefined
      ? "wal start/stop: n/a"
      : `wal start/stop: ${entry.archiveStart} / ${entry.archiveStop}`,
  );
  if (manifest !== undefined && entry.lsnStart !== undefined) {
    text += line(`lsn start/stop: ${entry.lsnStart} / ${entry.lsnStop}`);
  }
  text += line(
    `database size: ${formatSize(entry.sizeBytes)}, database backup size: ${formatSize(entry.sizeDeltaBytes)}`,
  );
  for (const row of rows) {
    const { repoSizeBytes, repoSizeDeltaBytes, repoSizeMapBytes } = row.entry;
    text += line(
      repoSizeMapBytes === undefined
        ? `repo${row.repositoryKey}: backup set size: ${formatSize(repoSizeBytes)}, backup size: ${
          formatSize(repoSizeDeltaBytes)
        }`
        : `repo${row.repositoryKey}: backup size: ${formatSize(repoSizeDeltaBytes)}`,
    );
  }
  if (entry.references !== undefined && entry.references.length > 0) {
    text += line(referenceText(entry.references, manifest !== undefined));
  }
  for (const { entry: { annotations }, repositoryKey } of rows) {
    const reason = annotations?.get(PIN);
    if (reason !== undefined) text += line(`${rows.length === 1 ? "" : `repo${repositoryKey}: `}pinned: ${reason}`);
  }
  for (const { isLost, repositoryKey } of rows) {
    if (isLost !== true) continue;
    const where = rows.length === 1 ? "" : `repo${repositoryKey}: `;
    text += line(`${where}manifest lost, cannot be restored: verify --repair mends it where another repository has it`);
  }
  if (manifest !== undefined) text += detailText(rows[0]!, line);
  else if (entry.error) text += line("error(s) detected during backup");
  return text;
}

function referenceText(references: readonly string[], full: boolean): string {
  if (full) return `backup reference list: ${references.join(", ")}`;
  const count = (letter: string) => references.filter((label) => label.endsWith(letter)).length;
  const parts = ([["F", "full"], ["D", "diff"], ["I", "incr"]] as const)
    .filter(([letter]) => count(letter) > 0)
    .map(([letter, name]) => `${count(letter)} ${name}`);
  return `backup reference total: ${parts.join(", ")}`;
}

/** What `--set` adds. */
function detailText({ entry, manifest }: BackupRow, line: (text: string) => string): string {
  const { databases, targets } = manifest!;
  const users = databases.filter(({ name }) => !/^template[01]$/.test(name));
  let text = line(
    `database list: ${users.length === 0 ? "none" : users.map(({ name, oid }) => `${name} (${oid})`).join(", ")}`,
  );
  const deeper = (rest: string) => line(`    ${rest}`);
  const links = targets.filter(({ type, tablespaceId }) => type === "link" && tablespaceId === undefined);
  if (links.length > 0) {
    text += line("symlinks:");
    for (const { name, path, file } of links) {
      text += deeper(`${name.replace(/^pg_data\//, "")} => ${file === undefined ? path : `${path}/${file}`}`);
    }
  }
  const tablespaces = targets.filter(({ tablespaceId }) => tablespaceId !== undefined);
  if (tablespaces.length > 0) {
    text += line("tablespaces:");
    for (const { tablespaceName, tablespaceId, path } of tablespaces) {
      text += deeper(`${tablespaceName} (${tablespaceId}) => ${path}`);
    }
  }
  const damaged = damagedFiles(manifest!);
  if (damaged.length > 0) text += line(`error list: ${damaged.join(", ")}`);
  if (entry.annotations !== undefined) {
    text += line("annotation(s)");
    for (const [key, value] of entry.annotations) text += deeper(`${key}: ${value}`);
  }
  return text;
}
