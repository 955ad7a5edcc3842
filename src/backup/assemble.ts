/** Puts what was scanned, copied and learned from the server together to the manifest of each repository. Pure values. */
import { WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFiles } from "../format/manifest.ts";
import type { BackupStop } from "../postgres/backup_functions.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { DEFAULT_LEVELS } from "../stream/compress.ts";
import { BACKREST_VERSION } from "../version.ts";
import type { ClusterScan } from "./cluster_scan.ts";
import type { Lineage } from "./lineage.ts";
import type { BackupOptions } from "./options.ts";
import type { Participant } from "./participants.ts";
import type { OnlineStart } from "./start_stop.ts";

/** What is known of the backup in one repository when copying begins. Label and lineage may differ between repositories. */
export interface BackupFacts {
  readonly label: string;
  readonly lineage: Lineage;
  /** Contents are compared with the prior backup. */
  readonly delta: boolean;
  /** Most files were read from a standby. */
  readonly fromStandby: boolean;
  /** Whose file system the times come from; absent = the primary's. */
  readonly timesOf: string | undefined;
  readonly options: BackupOptions;
  readonly control: ControlData;
  readonly scan: ClusterScan;
  /** Seconds since the epoch, by the server's clock. */
  readonly timestampStart: number;
  readonly timestampCopyStart: number;
  /** Absent for an offline backup. */
  readonly started: OnlineStart | undefined;
}

/**
 * The manifest while copying goes on.
 *
 * @param files of the cluster, sorted; those that are not stored yet without a checksum
 */
export function unfinishedManifest(facts: BackupFacts, participant: Participant, files: ManifestFiles): Manifest {
  const manifest = manifestOf(facts, participant, files, facts.timestampCopyStart, undefined);
  return { ...manifest, backrestVersion: unfinishedVersion(manifest) };
}

/**
 * Version in the list of an unfinished backup. The original goes on with one of its own version, by the times of its files; where those are of a
 * standby's file system it must not.
 */
export function unfinishedVersion({ timesOf }: Pick<Manifest, "timesOf">): string {
  return timesOf === undefined ? BACKREST_VERSION : `${BACKREST_VERSION}-standby`;
}

/**
 * The complete manifest.
 *
 * @param files of the backup, sorted
 */
export function completeManifest(
  facts: BackupFacts,
  participant: Participant,
  files: ManifestFiles,
  timestampStop: number,
  stopped: BackupStop | undefined,
): Manifest {
  const manifest = manifestOf(facts, participant, files, timestampStop, stopped);
  validate(manifest);
  return manifest;
}

/** Whether the WAL that makes the backup consistent goes into it: where it is asked for, and where there is no archive beside it. */
export function copiesArchive(options: BackupOptions, { repository }: Participant): boolean {
  return options.archiveCheck && options.online && (options.archiveCopy || repository.config.role === "backup");
}

function manifestOf(
  facts: BackupFacts,
  participant: Participant,
  files: ManifestFiles,
  timestampStop: number,
  stopped: BackupStop | undefined,
): Manifest {
  const { options, control, started, scan } = facts;
  const { type, prior, compress, checksumPage, hardlink, bundle, bundleRaw, block, cipherPass } = facts.lineage;
  return {
    backrestVersion: BACKREST_VERSION,
    label: facts.label,
    type,
    prior: prior?.label,
    references: [...priorReferences(facts.lineage), facts.label],
    timestampStart: facts.timestampStart,
    timestampCopyStart: facts.timestampCopyStart,
    timestampStop,
    lsnStart: started?.lsn,
    lsnStop: stopped?.lsn,
    archiveStart: started?.walSegment,
    archiveStop: stopped?.walSegment,
    timesOf: facts.timesOf,
    bundle: bundle !== undefined,
    bundleRaw,
    blockIncremental: block !== undefined,
    historyId: participant.info.currentId,
    pgVersion: control.pgVersion,
    systemId: control.systemId,
    catalogVersion: control.catalogVersion,
    controlVersion: control.controlVersion,
    options: {
      archiveCheck: options.archiveCheck && options.online,
      archiveCopy: copiesArchive(options, participant),
      backupStandby: facts.fromStandby,
      bufferSizeBytes: options.bufferBytes,
      checksumPage,
      compressType: compress.type,
      compressLevel: compress.level ?? DEFAULT_LEVELS[compress.type],
      delta: facts.delta,
      hardlink,
      online: options.online,
      processMax: options.processMax,
    },
    annotations: new Map(options.annotations),
    cipherPass,
    targets: [...scan.targets],
    databases: [...(started?.databases ?? [])],
    files,
    links: [...scan.links],
    paths: [...scan.paths],
    defaults: scan.defaults,
  };
}

/** Labels that the prior backup needs, its own last. Releases before 2.42 did not write the list. */
export function priorReferences({ prior }: Lineage): string[] {
  if (prior === undefined) return [];
  if (prior.references !== undefined) return prior.references;
  const labels = new Set(prior.files.values().flatMap(({ reference }) => (reference === undefined ? [] : [reference])));
  return [...[...labels].sort(), prior.label];
}

/** What a reader refuses is refused here, before the backup counts as complete. */
function validate(manifest: Manifest): void {
  const problems: string[] = [];
  const files = FileTable.from(manifest.files);
  for (let index = 0; index < files.length; index++) {
    if (files.sizeAt(index) === 0) continue;
    if (!files.hasChecksumAt(index)) problems.push(`missing checksum for file '${files.nameAt(index)}'`);
    if (files.repoSizeAt(index) === 0) problems.push(`repo size must be > 0 for file '${files.nameAt(index)}'`);
  }
  if (files.indexOf("pg_data/global/pg_control") === -1) problems.push("missing pg_control");
  if (!manifest.paths.some(({ name }) => name === "pg_data")) problems.push("missing path 'pg_data'");
  if (problems.length > 0) {
    throw new WalferryError("Format", `manifest validation failed:\n${problems.slice(0, 20).join("\n")}`);
  }
}
