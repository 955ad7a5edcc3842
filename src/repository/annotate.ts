/** Notes on backups, kept in `backup.info` (behaviour spec §7.8). The manifest keeps those that the backup was made with. */
import { WalferryError } from "../errors.ts";
import { isBackupLabel } from "../format/label.ts";
import type { CommandContext } from "../process/command_context.ts";
import { BACKREST_VERSION } from "../version.ts";
import { reconcileBackupInfo, withLost } from "./backup_catalog.ts";
import type { AnnotateOptions } from "./options.ts";
import type { Repository } from "./repository.ts";
import { describeFailure, RepositorySet } from "./repository_set.ts";

/**
 * Adds, replaces and (where the value is empty) removes notes in every repository that holds the backup. The backup locks are held by
 * the caller.
 * @throws WalferryError `OptionInvalidValue`; `BackupSetInvalid` when no repository holds it; `Command` when some repository failed
 */
export async function annotateBackup(options: AnnotateOptions, context: CommandContext): Promise<void> {
  if (!isBackupLabel(options.set)) {
    throw new WalferryError("OptionInvalidValue", `'${options.set}' is not a valid backup label format`);
  }
  await using set = await RepositorySet.open(options.repositories);
  const outcomes = await set.ask((repository) => annotateIn(repository, options, context));
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
  for (const failure of failures) context.log.error(describeFailure(failure), failure.error.code);
  context.tookPart?.(outcomes.flatMap((outcome) => outcome.ok && !outcome.value ? [] : [outcome.repository.key]));
  if (failures.length > 0) {
    throw new WalferryError(
      "Command",
      `annotate command encountered ${failures.length} error(s), check the log file for details`,
    );
  }
  if (!outcomes.some((outcome) => outcome.ok && outcome.value)) {
    throw new WalferryError("BackupSetInvalid", "no backup set to annotate found");
  }
}

/** @returns whether the repository holds the backup */
async function annotateIn(
  repository: Repository,
  { stanza, set, annotations }: AnnotateOptions,
  { log }: CommandContext,
): Promise<boolean> {
  const info = await repository.loadBackupInfo(stanza);
  const { lost } = await reconcileBackupInfo(repository, stanza, info, log);
  // One that is lost is noted on as well: a pin must come off it.
  const whole = withLost(info, lost);
  const entry = whole.backups.find(({ label }) => label === set);
  if (entry === undefined) {
    log.warn(`backup set '${set}' to annotate not found in ${repository.name}`);
    return false;
  }
  log.info(`backup set '${set}' to annotate found in ${repository.name}`);
  const notes = new Map(entry.annotations);
  for (const [key, value] of annotations) {
    if (value === "") notes.delete(key);
    else notes.set(key, value);
  }
  entry.annotations = notes.size === 0 ? undefined : notes;
  await repository.saveBackupInfo(stanza, { ...whole, backrestVersion: BACKREST_VERSION });
  return true;
}
