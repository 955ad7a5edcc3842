/**
 * Restore as a sequence of steps (behaviour spec §5.1). `global/pg_control` is removed before anything is changed and put back last, so
 * that a cluster which was not restored to the end cannot be started; `backup.manifest` in the data directory marks the time between.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import { renderManifest } from "../format/manifest_codec.ts";
import { invalidateCheckpoint } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatLocalTime, formatSize } from "../report/units.ts";
import type { Repository } from "../repository/repository.ts";
import type { RepositorySet } from "../repository/repository_set.ts";
import { chooseSet } from "./choose_set.ts";
import { attempt, lstat, syncDirectory, writeDurably } from "./local_files.ts";
import { openSet } from "./open_set.ts";
import type { RestoreOptions } from "./options.ts";
import { Owners } from "./owners.ts";
import {
  checkTargets,
  cleanTargets,
  isSkipped,
  makePathsAndLinks,
  type Preparation,
  PROGRESS_FILE,
  removeControlFile,
  syncTargets,
} from "./prepare.ts";
import { autoConfBytes, recoverySettings, signalFileOf } from "./recovery_settings.ts";
import { type Layout, layoutOf } from "./remap.ts";
import { zeroedFiles } from "./selective.ts";
import { warnOfTarget } from "./target_check.ts";
import { warnOfMissingWal } from "./wal_check.ts";
import { CONTROL_FILE_PENDING, type RestoreWork, writeFiles } from "./writer.ts";

/** Restores a cluster. @throws WalferryError with the codes of the behaviour spec §5 */
export async function runRestore(given: RestoreOptions, set: RepositorySet, context: CommandContext): Promise<void> {
  const { log } = context;
  const base = given.cluster.path;
  if (lstat(`${base}/postmaster.pid`) !== undefined) {
    throw new WalferryError("PgRunning", "unable to restore while PostgreSQL is running", {
      hint:
        `presence of 'postmaster.pid' in '${base}' indicates PostgreSQL is running.\nremove 'postmaster.pid' only if PostgreSQL is not running.`,
    });
  }
  const replace = (given.delta || given.force) && wasCluster(base, log, given);

  const chosen = await chooseSet(set.repositories, given, log);
  const { repository, manifest, options } = await openSet(chosen, set.repositories, given, log);
  const from = manifest.options.online && options.type !== "none"
    ? `, recovery will start at ${formatLocalTime(manifest.timestampStart * 1000)}`
    : "";
  context.tookPart?.([repository.key]);
  log.info(`${repository.name}: restore backup set ${manifest.label}${from}`);

  // The one that gave the backup first: where it has the WAL nobody who is slow or away is waited for.
  const repositories = [repository, ...set.repositories.filter((other) => other !== repository)];
  const entry = chosen.info.backups.find(({ label }) => label === manifest.label);
  if (entry !== undefined && manifest.options.online && options.type !== "none") {
    await warnOfMissingWal({ stanza: options.stanza, repositories, info: chosen.info, entry }, context);
  }
  warnOfTarget(manifest, options, chosen.info.backups[0]?.label !== manifest.label, log);

  const layout = layoutOf(manifest, options, log);
  const isZeroed = zeroedFiles(manifest, options);
  const settings = recoverySettings(options);
  const owners = new Owners(base);
  owners.warnAbout([manifest.files, manifest.paths, manifest.links], log);
  const preparation: Preparation = { manifest, layout, options, replace, owners, log };
  await checkTargets(preparation);

  removeSpool(options);
  const work: RestoreWork = {
    manifest,
    layout,
    options,
    owners,
    repositories,
    manifestOf: otherManifests(options.stanza, manifest),
    delta: replace && options.delta,
    isZeroed,
    isSkipped: (name) => isSkipped(name, options, layout),
    context,
  };
  try {
    const totals = await fillTargets(preparation, work, settings);
    log.info(`restore size = ${formatSize(totals.sizeBytes)}, file total = ${totals.files}`);
  } catch (error) {
    throw unfinished(toWalferryError(error), base);
  }
}

/** Everything that changes the targets. From its begin to its last step the cluster cannot be started. */
async function fillTargets(
  preparation: Preparation,
  work: RestoreWork,
  settings: ReturnType<typeof recoverySettings>,
): Promise<{ readonly sizeBytes: number; readonly files: number }> {
  const { manifest, layout, options, owners } = preparation;
  const progress = `${layout.basePath}/${PROGRESS_FILE}`;
  removeControlFile(preparation);
  if (preparation.replace) await cleanTargets(preparation);
  makePathsAndLinks(preparation);
  writeDurably(progress, renderManifest({ ...manifest, cipherPass: undefined }), 0o600);
  const totals = await writeFiles(work);
  writeRecovery(options, layout, manifest, settings, owners, work.context);
  Deno.removeSync(progress);
  syncTargets(preparation);
  placeControlFile(layout, manifest, work.context);
  return totals;
}

/** Whoever reads the error has a directory that looks like a cluster and is none. */
function unfinished(error: WalferryError, base: string): WalferryError {
  const hint = `the restore to '${base}' is not complete and cannot be started: ` +
    "when the cause is gone, the same command with --delta goes on with it.";
  const hints = error.hint === undefined ? hint : `${error.hint}\n${hint}`;
  return new WalferryError(error.kind, error.message, { hint: hints, cause: error });
}

/** `--delta` and `--force` remove things, so they count only where a cluster was, or a restore that was cut off. */
function wasCluster(base: string, log: CommandContext["log"], options: RestoreOptions): boolean {
  if (lstat(`${base}/PG_VERSION`) !== undefined || lstat(`${base}/${PROGRESS_FILE}`) !== undefined) return true;
  log.warn(
    `--delta or --force specified but unable to find 'PG_VERSION' or '${PROGRESS_FILE}' in '${options.cluster.path}' to confirm that this is a valid $PGDATA directory. ` +
      "--delta and --force have been disabled and if any files exist in the destination directories the restore will be aborted.",
  );
  return false;
}

/** Acknowledgements of the old cluster must not swallow WAL of the new one. */
function removeSpool(options: RestoreOptions): void {
  const path = `${options.spoolPath}/archive/${options.stanza}`;
  if (lstat(path) !== undefined) {
    attempt("PathRemove", `unable to remove path '${path}'`, () => Deno.removeSync(path, { recursive: true }));
  }
}

/** Looks up the same backup in another repository, once each. */
function otherManifests(stanza: string, manifest: Manifest): (repository: Repository) => Promise<Manifest | undefined> {
  const known = new Map<number, Promise<Manifest | undefined>>();
  const load = async (repository: Repository): Promise<Manifest | undefined> => {
    try {
      const info = await repository.loadBackupInfo(stanza);
      if (!info.backups.some(({ label }) => label === manifest.label)) return undefined;
      const other = await repository.loadManifest(stanza, manifest.label, info.cipherPass);
      return other.systemId === manifest.systemId ? other : undefined;
    } catch (error) {
      // This repository was only asked to help; that it cannot is no failure of the restore.
      toWalferryError(error);
      return undefined;
    }
  };
  return (repository) => {
    const found = known.get(repository.key) ?? load(repository);
    known.set(repository.key, found);
    return found;
  };
}

function writeRecovery(
  options: RestoreOptions,
  layout: Layout,
  manifest: Manifest,
  settings: ReturnType<typeof recoverySettings>,
  owners: Owners,
  context: CommandContext,
): void {
  if (options.type === "preserve") {
    if (lstat(`${layout.basePath}/postgresql.auto.conf`) === undefined) {
      context.log.warn(
        `recovery type is preserve but recovery file does not exist at '${layout.basePath}/postgresql.auto.conf'\n` +
          "HINT: PostgreSQL needs a restore_command and recovery.signal to recover.",
      );
    }
    return;
  }
  const write = (name: string, content: Uint8Array) => {
    const path = `${layout.basePath}/${name}`;
    const mode = manifest.defaults.file.mode & 0o666;
    writeDurably(path, [content], mode);
    owners.apply(path, manifest.defaults.file, mode);
  };
  const autoConf = `${layout.basePath}/postgresql.auto.conf`;
  if (lstat(autoConf) === undefined) {
    context.log.warn("postgresql.auto.conf does not exist -- creating to contain recovery settings");
  }
  const before = lstat(autoConf) === undefined ? new Uint8Array() : Deno.readFileSync(autoConf);
  context.log.info("write updated " + autoConf);
  write("postgresql.auto.conf", autoConfBytes(before, settings, context.clock.nowMs()));
  const signal = signalFileOf(options);
  if (signal !== undefined) write(signal, new Uint8Array());
}

/** The last step. The checkpoint of an online backup is made invalid, so that the cluster starts from its `backup_label` or not at all. */
function placeControlFile(layout: Layout, manifest: Manifest, context: CommandContext): void {
  const pending = `${layout.basePath}/${CONTROL_FILE_PENDING}`;
  const final = pending.slice(0, -".pgbackrest.tmp".length);
  if (lstat(pending) === undefined) {
    context.log.warn("backup does not contain 'global/pg_control' -- cluster will not start");
    return;
  }
  if (manifest.options.online) {
    const found = Deno.statSync(pending);
    const changed = invalidateCheckpoint(Deno.readFileSync(pending), manifest.pgVersion);
    attempt("FileWrite", `unable to write '${pending}'`, () => {
      using file = Deno.openSync(pending, { write: true });
      file.writeSync(changed);
      file.syncSync();
    });
    if (found.mtime !== null) Deno.utimeSync(pending, found.mtime, found.mtime);
  }
  context.log.info("restore global/pg_control (performed last to ensure aborted restores cannot be started)");
  attempt("FileMove", `unable to move '${pending}' to '${final}'`, () => Deno.renameSync(pending, final));
  syncDirectory(`${layout.basePath}/global`);
}
