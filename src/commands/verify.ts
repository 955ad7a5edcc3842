/** `verify` */
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import { Repository } from "../repository/repository.ts";
import { describeFailure, type RepositoryFailure, RepositorySet } from "../repository/repository_set.ts";
import { saveVerification } from "../repository/verification_results.ts";
import type { VerifyOptions } from "../verify/options.ts";
import { repair } from "../verify/repair.ts";
import { outcomeOf } from "../verify/repair_outcome.ts";
import { isSound, type VerifyReport } from "../verify/report.ts";
import { renderReportsJson } from "../verify/report_json.ts";
import { renderReportText } from "../verify/report_text.ts";
import { verifyRepository } from "../verify/verify.ts";

/**
 * Verifies repositories, one behind the other, and prints what came of it. It takes no lock: backups and archiving go on. Only a repair, which
 * changes what a backup or expire could be changing, takes the lock of a backup.
 *
 * @throws WalferryError `RepositoryDamaged` when something that a restore could need is missing or damaged (unless `exit` is `compat`); else
 * that of a store which could not be asked, `Command` when several could not for different reasons
 */
export async function verify(options: VerifyOptions, context: CommandContext): Promise<number> {
  const reports: VerifyReport[] = [];
  let failures: RepositoryFailure[] = [];
  for (const config of options.repositories) {
    try {
      reports.push(await verifyOne(config, options, context));
    } catch (error) {
      context.signal.throwIfAborted();
      failures.push({ key: config.key, error: toWalferryError(error) });
    }
  }
  // Repositories keep backups for different times: one that was asked for by its label alone need not be everywhere.
  if (reports.length > 0 && !options.repositoriesChosen) {
    failures = failures.filter(({ error }) => !isWalferryError(error, "BackupSetInvalid"));
  }
  context.tookPart?.([...reports.map(({ repositoryKey }) => repositoryKey), ...failures.map(({ key }) => key)]);
  if (options.output === "json") context.output(renderReportsJson(reports, options.repositories.length > 1));
  if (options.exit === "strict") throwDamage(reports, failures, options.output === "none");
  throwFailures(failures, options.repositories.length > 1);
  return 0;
}

/** One repository; its text is printed as soon as it is there. @throws WalferryError of the store */
async function verifyOne(
  config: RepositoryConfig,
  options: VerifyOptions,
  context: CommandContext,
): Promise<VerifyReport> {
  const startMs = context.clock.nowMs();
  await using repository = await Repository.open(config);
  const report = await verifyRepository(repository, options, context);
  if (options.repair !== undefined) await repairFrom(options, repository, report, context);
  // A look at one backup says nothing about the repository.
  if (options.set === undefined) await keepResult(repository, report, startMs, context);
  const isOneOfMany = options.repositories.length > 1;
  const text = renderReportText(report, { verbose: options.verbose, isOneOfMany });
  // As pgBackRest: the log has it too, for those who run this without a terminal.
  context.log.info(text.trimEnd());
  if (options.output === "text") context.output(text);
  return report;
}

/** Damage that is certain counts more than what could not be asked, which is told with it. */
function throwDamage(
  reports: readonly VerifyReport[],
  failures: readonly RepositoryFailure[],
  tellFirst: boolean,
): void {
  const damaged = reports.filter((report) => !isSound(report));
  if (damaged.length === 0) return;
  const lines = damaged.map(({ repositoryKey: key, findings }) => {
    const { damages } = findings;
    const first = findings.kept.find(({ severity, repaired }) => severity === "damage" && repaired === undefined);
    const text = `${damages} ${damages === 1 ? "thing is" : "things are"} missing or damaged` +
      (tellFirst && first !== undefined ? `, first: ${first.path}: ${first.message}` : "");
    return describeFailure({ key, error: new WalferryError("RepositoryDamaged", text) });
  });
  throw new WalferryError("RepositoryDamaged", [...lines, ...failures.map(describeFailure)].join("\n"), {
    hint: "a restore could need it. Take a new full backup, and look at the store.",
  });
}

function throwFailures(failures: readonly RepositoryFailure[], isOneOfMany: boolean): void {
  const [first] = failures;
  if (first === undefined) return;
  if (!isOneOfMany) throw first.error;
  const kind = failures.every(({ error }) => error.kind === first.error.kind) ? first.error.kind : "Command";
  throw new WalferryError(kind, failures.map(describeFailure).join("\n"));
}

/** @throws WalferryError `LockAcquire`, `Stop` */
async function repairFrom(
  { repair: asked, processMax, set }: VerifyOptions,
  repository: Repository,
  report: VerifyReport,
  context: CommandContext,
): Promise<void> {
  const { from, lockPath } = asked!;
  assertNotStopped(lockPath, report.stanza);
  using _lock = acquireLocks(lockPath, report.stanza, "backup", [repository.key], context.execId);
  await using others = await RepositorySet.open(from.filter(({ key }) => key !== repository.key));
  await repair({
    repository,
    others: others.repositories,
    stanza: report.stanza,
    atOnce: processMax,
    isWhole: set === undefined,
    report,
    context,
  });
  try {
    report.outcome = await outcomeOf(repository, report, context);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn(`${repository.name}: what can be recovered is not known: ${toWalferryError(error).message}`);
  }
}

/** That a store lets nobody write is no reason to keep the result from who asked. */
async function keepResult(
  repository: Repository,
  { stanza, mode, findings, systemId }: VerifyReport,
  startMs: number,
  { clock, log }: CommandContext,
): Promise<void> {
  const nowMs = clock.nowMs();
  try {
    await saveVerification(repository, stanza, {
      mode: mode.kind,
      time: Math.floor(nowMs / 1000),
      durationSeconds: Math.max(0, Math.round((nowMs - startMs) / 1000)),
      damages: findings.damages,
      repaired: findings.repairs,
      systemId,
    });
  } catch (error) {
    log.warn(`${repository.name}: unable to remember the result for info: ${toWalferryError(error).message}`);
  }
}
