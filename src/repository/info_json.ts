/** `info --output=json`: equal to pgBackRest's key for key, keys in byte order, on one line (behaviour spec §7.6). */
import { type JsonObject, type JsonValue, renderAnswer } from "../format/json.ts";
import type { Manifest } from "../format/manifest.ts";
import type { LockProgress } from "../process/locks.ts";
import type { ArchiveRange, BackupRow, StanzaInfo } from "./info_data.ts";
import { ownKey } from "./outlook_json.ts";

/** The whole answer, without a line end. */
export function renderInfoJson(stanzas: readonly StanzaInfo[], detailLevel: "full" | "progress"): string {
  return renderAnswer(stanzas.map((stanza) => stanzaObject(stanza, detailLevel)));
}

function stanzaObject(stanza: StanzaInfo, detailLevel: "full" | "progress"): JsonObject {
  const status: JsonObject = {
    ...statusObject(stanza.status),
    lock: { backup: lockObject(stanza.backupLock), restore: lockObject(stanza.restoreLock) },
  };
  if (detailLevel === "progress") return { name: stanza.name, status };
  const ciphers = new Set(stanza.repositories.map(({ cipher }) => cipher));
  return {
    archive: stanza.repositories.flatMap(({ archives }) => archives).sort(byHistory).map(archiveObject),
    backup: stanza.repositories.flatMap(({ backups }) => backups).sort(byStop).map(backupObject),
    cipher: ciphers.size > 1 ? "mixed" : [...ciphers][0]!,
    db: stanza.repositories.flatMap(({ databases }) => databases).map(({ id, repositoryKey, systemId, pgVersion }) => ({
      id,
      "repo-key": repositoryKey,
      "system-id": systemId,
      version: pgVersion,
    })),
    name: stanza.name,
    repo: stanza.repositories.map(({ cipher, key, status: own }) => ({ cipher, key, status: statusObject(own) })),
    status,
    ...ownKey(stanza),
  };
}

function statusObject(status: { readonly code: number; readonly message: string }): JsonObject {
  return { code: status.code, message: status.message };
}

function lockObject(lock: { readonly held: boolean; readonly progress?: LockProgress }): JsonObject {
  if (lock.progress === undefined) return { held: lock.held };
  return { held: lock.held, size: lock.progress.sizeBytes, "size-cplt": lock.progress.doneBytes };
}

function byHistory(a: ArchiveRange, b: ArchiveRange): number {
  return a.historyId - b.historyId || a.repositoryKey - b.repositoryKey;
}

/** Backups of all repositories in one list: by the time they ended, then by repository. */
export function byStop(a: BackupRow, b: BackupRow): number {
  return a.entry.timestampStop - b.entry.timestampStop || a.repositoryKey - b.repositoryKey;
}

function archiveObject(range: ArchiveRange): JsonObject {
  return {
    database: { id: range.historyId, "repo-key": range.repositoryKey },
    id: range.archiveId,
    max: range.max ?? null,
    min: range.min ?? null,
  };
}

function backupObject({ entry, repositoryKey, manifest }: BackupRow): JsonObject {
  const block = entry.repoSizeMapBytes !== undefined;
  const repositorySizes: JsonObject = block
    ? {
      delta: entry.repoSizeDeltaBytes,
      "delta-map": entry.repoSizeMapDeltaBytes ?? 0,
      "size-map": entry.repoSizeMapBytes!,
    }
    : { delta: entry.repoSizeDeltaBytes, size: entry.repoSizeBytes };
  return {
    ...(entry.annotations === undefined ? {} : { annotation: Object.fromEntries(entry.annotations) }),
    archive: { start: entry.archiveStart ?? null, stop: entry.archiveStop ?? null },
    backrest: { format: entry.backrestFormat, version: entry.backrestVersion },
    database: { id: entry.historyId, "repo-key": repositoryKey },
    ...(entry.error === undefined ? {} : { error: entry.error }),
    info: { delta: entry.sizeDeltaBytes, repository: repositorySizes, size: entry.sizeBytes },
    label: entry.label,
    ...(entry.lsnStart === undefined ? {} : { lsn: { start: entry.lsnStart, stop: entry.lsnStop ?? null } }),
    prior: entry.prior ?? null,
    reference: entry.references === undefined ? null : [...entry.references],
    timestamp: { start: entry.timestampStart, stop: entry.timestampStop },
    type: entry.type,
    ...(manifest === undefined ? {} : detailObject(manifest)),
  };
}

/** Files with page checksum errors, named as PostgreSQL names them: relative to the data directory. */
export function damagedFiles(manifest: Manifest): string[] {
  return manifest.files.values().filter(({ checksumPage }) => checksumPage === false)
    .map(({ name }) => name.replace(/^pg_data\//, "")).toArray();
}

/** What `--set` adds. */
function detailObject(manifest: NonNullable<BackupRow["manifest"]>): JsonObject {
  const list = (values: JsonValue[]): JsonValue => (values.length === 0 ? null : values);
  const links = manifest.targets.filter(({ type, tablespaceId }) => type === "link" && tablespaceId === undefined);
  const tablespaces = manifest.targets.filter(({ tablespaceId }) => tablespaceId !== undefined);
  const errors = damagedFiles(manifest);
  return {
    "database-ref": list(
      manifest.databases.filter(({ name, oid, lastSystemOid }) => oid > lastSystemOid || !/^template[01]$/.test(name))
        .map(({ name, oid }) => ({ name, oid })),
    ),
    ...(errors.length === 0 ? {} : { "error-list": errors }),
    link: list(links.map(({ name, path, file }) => ({
      destination: file === undefined ? path : `${path}/${file}`,
      name: name.replace(/^pg_data\//, ""),
    }))),
    tablespace: list(tablespaces.map(({ path, tablespaceName, tablespaceId }) => ({
      destination: path,
      name: tablespaceName!,
      oid: Number(tablespaceId),
    }))),
  };
}
