/** `verify` */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { Repository } from "../repository/repository.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { saveVerification } from "../repository/verification_results.ts";
import type { VerifyOptions } from "../verify/options.ts";
import { repair } from "../verify/repair.ts";
import { outcomeOf } from "../verify/repair_outcome.ts";
import { isSound, type VerifyReport } from "../verify/report.ts";
import { renderReportJson } from "../verify/report_json.ts";
import { renderReportText } from "../verify/report_text.ts";
import { verifyRepository } from "../verify/verify.ts";

/**
 * Verifies one repository and prints what came of it. It takes no lock: backups and archiving go on. Only a repair, which changes what a
 * backup or expire could be changing, takes the lock of a backup.
 * @throws WalferryError `RepositoryDamaged` when something that a restore could need is missing or damaged (unless `exit` is `compat`);
 * of the store
 */
export async function verify(options: VerifyOptions, context: CommandContext): Promise<number> {
  const startMs = context.clock.nowMs();
  await using repository = await Repository.open(options.repository);
  const report = await verifyRepository(repository, options, context);
  if (options.repair !== undefined) await repairFrom(options, repository, report, context);
  // A look at one backup says nothing about the repository.
  if (options.set === undefined) await keepResult(repository, report, startMs, context);
  const text = renderReportText(report, options.verbose);
  // As pgBackRest: the log has it too, for those who run this without a terminal.
  context.log.info(text.trimEnd());
  if (options.output !== "none") context.output(options.output === "json" ? renderReportJson(report) : text);
  if (isSound(report) || options.exit === "compat") return 0;
  const { damages } = report.findings;
  const first = report.findings.kept.find(({ severity }) => severity === "damage")!;
  throw new WalferryError(
    "RepositoryDamaged",
    `${repository.name}: ${damages} ${damages === 1 ? "thing is" : "things are"} missing or damaged` +
      (options.output === "none" ? `, first: ${first.path}: ${first.message}` : ""),
    { hint: "a restore could need it. Take a new full backup, and look at the store." },
  );
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
  await using others = await RepositorySet.open(from);
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
  { stanza, mode, findings }: VerifyReport,
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
    });
  } catch (error) {
    log.warn(`${repository.name}: unable to remember the result for info: ${toWalferryError(error).message}`);
  }
}
