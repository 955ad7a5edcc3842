/** `drill` */
import { runDrill } from "../drill/drill.ts";
import type { DrillOptions } from "../drill/options.ts";
import { type DrillReport, durationOf, isGood, renderDrillJson, renderDrillText } from "../drill/report.ts";
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { DrillRecords } from "../repository/drill_record.ts";
import { RepositorySet } from "../repository/repository_set.ts";

/**
 * Restores a backup beside the cluster, proves it, and prints what came of it.
 * @throws WalferryError `DrillFailed` when the restored cluster failed; any other code when the drill could not be held
 */
export async function drill(options: DrillOptions, context: CommandContext): Promise<number> {
  if (Deno.uid() === 0) {
    throw new WalferryError("OptionInvalid", "a drill cannot be held by root: PostgreSQL does not run as root", {
      hint: "run it as the account that owns the cluster (usually postgres).",
    });
  }
  await using set = await RepositorySet.open(options.repositories);
  const report = await runDrill(options, set, context);
  keepForMonitoring(report, options, context);
  context.output(
    options.output === "json" ? renderDrillJson(report) : renderDrillText(report, context.clock.nowMs()),
  );
  if (report.error !== undefined) throw report.error;
  if (isGood(report)) return 0;
  throw new WalferryError(
    "DrillFailed",
    `backup ${report.backup!.label} was restored, but it failed: ${whyNotGood(report)}`,
    { hint: "a restore in earnest would end like this: take a new full backup, and look at what failed." },
  );
}

/** What kept a drill from being passed, in one line. */
function whyNotGood({ steps, error }: DrillReport): string {
  // A line that ends with a colon has its point in the next one.
  if (error !== undefined) return error.message.split("\n", 2).slice(0, /:\n/.test(error.message) ? 2 : 1).join(" ");
  return steps.filter(({ outcome }) => outcome === "failed").map(({ name }) => name).join(", ");
}

/** A drill that was told to end found out nothing. Monitoring that cannot be told is no reason to call a good backup bad. */
function keepForMonitoring(report: DrillReport, options: DrillOptions, { log, clock }: CommandContext): void {
  if (report.error?.kind === "Term") return;
  try {
    // A host that only drills may have no spool, and none is made for this.
    if (!Deno.statSync(options.spoolPath).isDirectory) return;
    new DrillRecords(options.spoolPath, options.stanza).record({
      isGood: isGood(report),
      atMs: clock.nowMs(),
      label: report.backup?.label,
      why: isGood(report) ? undefined : whyNotGood(report),
      restoreMs: durationOf(report, "restore"),
      recoverMs: durationOf(report, "recover"),
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    log.warn(`the outcome of the drill could not be kept for monitoring: ${(error as Error).message}`);
  }
}
