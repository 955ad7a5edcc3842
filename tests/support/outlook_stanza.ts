/** A stanza in a directory whose WAL are names only: for what `info` finds out by listing. */
import type { BackupInfoEntry } from "../../src/format/backup_info.ts";
import { segmentNameOf } from "../../src/format/wal_name.ts";
import { gatherInfo, type StanzaInfo } from "../../src/repository/info_data.ts";
import type { InfoOptions } from "../../src/repository/options.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { BACKREST_VERSION } from "../../src/version.ts";
import { ONLINE } from "./backup_options.ts";
import { hurryingClock, repositoryConfig, STANZA } from "./stanza_files.ts";

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** The cluster whose stanza it is. */
export const SYSTEM_ID = 7_710_412_083_236_442_382n;
/** All stored files are of this time, backups of an hour before. */
export const STORED_SECONDS = 1_795_000_000;

/** Name of the segment at a place. */
export function segmentAt(timeline: number, place: number): string {
  return segmentNameOf(timeline, place, SEGMENT_BYTES);
}

/** A full backup that needs these places. */
export function fullBackup(label: string, first: number, last: number, more: Partial<BackupInfoEntry> = {}) {
  return {
    label,
    type: "full",
    backrestFormat: 5,
    backrestVersion: BACKREST_VERSION,
    archiveStart: segmentAt(1, first),
    archiveStop: segmentAt(1, last),
    error: false,
    repoSizeBytes: 1000,
    repoSizeDeltaBytes: 1000,
    sizeBytes: 4000,
    sizeDeltaBytes: 4000,
    timestampStart: STORED_SECONDS - 3660,
    timestampStop: STORED_SECONDS - 3600,
    historyId: 1,
    options: ONLINE,
    ...more,
  } satisfies BackupInfoEntry as BackupInfoEntry;
}

export class OutlookStanza implements Disposable {
  readonly path = Deno.makeTempDirSync();
  readonly config = repositoryConfig(1, `${this.path}/repo`);
  readonly spoolPath = `${this.path}/spool`;

  /** Writes the info files, and manifests that nobody reads. */
  async make(backups: BackupInfoEntry[]): Promise<void> {
    await using repository = await Repository.open(this.config);
    const entry = { id: 1, pgVersion: "15", systemId: SYSTEM_ID };
    const common = { backrestVersion: BACKREST_VERSION, currentId: 1 };
    await repository.saveArchiveInfo(STANZA, { ...common, history: [entry] });
    await repository.saveBackupInfo(STANZA, {
      ...common,
      history: [{ ...entry, catalogVersion: 202_209_061, controlVersion: 1300 }],
      backups,
    });
    for (const { label } of backups) {
      Deno.mkdirSync(this.backupPath(label), { recursive: true });
      Deno.writeTextFileSync(`${this.backupPath(label)}/backup.manifest`, "");
    }
  }

  /** Directory of a backup. */
  backupPath(label: string): string {
    return `${this.path}/repo/backup/${STANZA}/${label}`;
  }

  /** Where a segment is stored. */
  pathOf(name: string): string {
    return `${this.path}/repo/archive/${STANZA}/15-1/${name.slice(0, 16)}/${name}-${"a".repeat(40)}.gz`;
  }

  /** Stores segments, both places included. */
  store(timeline: number, first: number, last: number, storedSeconds = STORED_SECONDS): void {
    for (let place = first; place <= last; place++) {
      const path = this.pathOf(segmentAt(timeline, place));
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, "x");
      Deno.utimeSync(path, storedSeconds, storedSeconds);
    }
  }

  /** What `info` knows, an hour behind the last file. */
  async info(more: Partial<InfoOptions> = {}): Promise<StanzaInfo> {
    const options: InfoOptions = {
      stanza: STANZA,
      repositories: [this.config],
      output: "text",
      detailLevel: "full",
      sight: "directories",
      lockPath: `${this.path}/lock`,
      spoolPath: this.spoolPath,
      ...more,
    };
    await using set = await RepositorySet.open(options.repositories);
    return (await gatherInfo(set, options, hurryingClock(STORED_SECONDS + 3600)))[0]!;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
