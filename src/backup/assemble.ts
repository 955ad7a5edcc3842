/** Puts what was scanned, copied and learned from the server together to the manifest of each repository. Pure values. */
import { WalferryError } from "../errors.ts";
import type { BackupInfoEntry } from "../format/backup_info.ts";
import { compareBytes } from "../format/json.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import type { BackupStop } from "../postgres/backup_functions.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { DEFAULT_LEVELS } from "../stream/compress.ts";
import { BACKREST_VERSION } from "../version.ts";
import type { ClusterScan } from "./cluster_scan.ts";
import type { CopiedFile } from "./copier.ts";
import type { BackupOptions } from "./options.ts";
import type { Participant } from "./participants.ts";
import type { OnlineStart } from "./start_stop.ts";

/** What is the same in every repository. */
export interface BackupFacts {
  readonly label: string;
  readonly type: BackupInfoEntry["type"];
  readonly options: BackupOptions;
  readonly control: ControlData;
  readonly scan: ClusterScan;
  readonly checksumPage: boolean;
  /** Seconds since the epoch, by the server's clock. */
  readonly timestampStart: number;
  readonly timestampCopyStart: number;
  /** Absent for an offline backup. */
  readonly started: OnlineStart | undefined;
}

/** The manifest as it is when copying begins: enough to tell that the directory is an unfinished backup. */
export function unfinishedManifest(facts: BackupFacts, participant: Participant): Manifest {
  return manifestOf(facts, participant, facts.scan.files, facts.timestampCopyStart, undefined);
}

/**
 * The complete manifest.
 *
 * @param extra files that did not come from the cluster: what the server gave at the stop, WAL
 */
export function completeManifest(
  facts: BackupFacts,
  participant: Participant,
  copied: readonly CopiedFile[],
  extra: readonly ManifestFile[],
  timestampStop: number,
  stopped: BackupStop | undefined,
): Manifest {
  const files = copied.map(({ file, stored }): ManifestFile => {
    const own = stored.get(participant.repository.key);
    if (own === undefined) {
      throw new WalferryError("Assert", `'${file.name}' was not stored in ${participant.repository.name}`);
    }
    return { ...file, repoSizeBytes: own.sizeBytes, repoChecksum: own.checksum };
  });
  // A file of the cluster and one of ours under one name: ours is the one that recovery needs.
  const ours = new Set(extra.map(({ name }) => name));
  const all = [...files.filter(({ name }) => !ours.has(name)), ...extra].sort((a, b) => compareBytes(a.name, b.name));
  const manifest = manifestOf(facts, participant, all, timestampStop, stopped);
  validate(manifest);
  return manifest;
}

function manifestOf(
  facts: BackupFacts,
  participant: Participant,
  files: ManifestFile[],
  timestampStop: number,
  stopped: BackupStop | undefined,
): Manifest {
  const { options, control, started, scan } = facts;
  return {
    backrestVersion: BACKREST_VERSION,
    label: facts.label,
    type: facts.type,
    references: [facts.label],
    timestampStart: facts.timestampStart,
    timestampCopyStart: facts.timestampCopyStart,
    timestampStop,
    lsnStart: started?.lsn,
    lsnStop: stopped?.lsn,
    archiveStart: started?.walSegment,
    archiveStop: stopped?.walSegment,
    bundle: false,
    bundleRaw: false,
    blockIncremental: false,
    historyId: participant.info.currentId,
    pgVersion: control.pgVersion,
    systemId: control.systemId,
    catalogVersion: control.catalogVersion,
    controlVersion: control.controlVersion,
    options: {
      archiveCheck: options.archiveCheck && options.online,
      archiveCopy: options.archiveCopy && options.archiveCheck && options.online,
      backupStandby: false,
      bufferSizeBytes: options.bufferBytes,
      checksumPage: facts.checksumPage,
      compressType: options.compress.type,
      compressLevel: options.compress.level ?? DEFAULT_LEVELS[options.compress.type],
      delta: false,
      hardlink: false,
      online: options.online,
      processMax: options.processMax,
    },
    annotations: new Map(options.annotations),
    cipherPass: participant.cipherPass,
    targets: [...scan.targets],
    databases: [...(started?.databases ?? [])],
    files,
    links: [...scan.links],
    paths: [...scan.paths],
    defaults: scan.defaults,
  };
}

/** What a reader refuses is refused here, before the backup counts as complete. */
function validate(manifest: Manifest): void {
  const problems: string[] = [];
  for (const file of manifest.files) {
    if (file.sizeBytes === 0) continue;
    if (file.checksum === undefined) problems.push(`missing checksum for file '${file.name}'`);
    if (file.repoSizeBytes === 0) problems.push(`repo size must be > 0 for file '${file.name}'`);
  }
  if (!manifest.files.some(({ name }) => name === "pg_data/global/pg_control")) problems.push("missing pg_control");
  if (!manifest.paths.some(({ name }) => name === "pg_data")) problems.push("missing path 'pg_data'");
  if (problems.length > 0) {
    throw new WalferryError("Format", `manifest validation failed:\n${problems.slice(0, 20).join("\n")}`);
  }
}
