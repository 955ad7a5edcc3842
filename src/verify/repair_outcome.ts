/** What is left after a repair, and what that means: backups that cannot be restored, and between which moments can be recovered. */
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";
import { lookAtWal } from "../repository/wal_sight.ts";
import type { Finding } from "./finding.ts";
import type { RepairOutcome, VerifyReport } from "./report.ts";

/** @throws WalferryError of the store */
export async function outcomeOf(
  repository: Repository,
  report: VerifyReport,
  { clock, signal }: CommandContext,
): Promise<RepairOutcome> {
  const open = report.findings.kept.filter(({ severity, repaired }) => severity === "damage" && repaired === undefined);
  const lost = lostBackups(report, open);
  const [archiveInfo, backupInfo] = [
    await repository.loadArchiveInfo(report.stanza),
    await repository.loadBackupInfo(report.stanza),
  ];
  const bad = new Set(
    open.filter(({ archiveId, segments }) => archiveId !== undefined && segments === undefined)
      .map(({ archiveId, path }) => `${archiveId}/${path.slice(path.lastIndexOf("/") + 1).slice(0, 24)}`),
  );
  const coverages = await lookAtWal({
    repository,
    stanza: report.stanza,
    archiveInfo,
    backupInfo: { ...backupInfo, backups: backupInfo.backups.filter(({ label }) => !lost.has(label)) },
    losses: { dropped: [], owed: [] },
    isUsable: (archiveId, segment) => !bad.has(`${archiveId}/${segment}`),
    nowMs: clock.nowMs(),
    signal,
  });
  const ranges = coverages.flatMap(({ archiveId, ranges }) => ranges.map((range) => ({ archiveId, range })));
  // A backup that came while this ran was not looked at: nothing is said of it.
  const seen = new Set(report.backups.map(({ label }) => label));
  const ownEnds = backupInfo.backups.filter(({ label, options }) =>
    options.archiveCopy && seen.has(label) && !lost.has(label)
  );
  return { lostBackups: [...lost].sort(), ranges, ownEnds: ownEnds.map(({ label }) => label).sort() };
}

/** A backup whose manifest has one good copy left is not lost; one that needs a bad file of another one is. */
function lostBackups({ backups, affected, badFiles }: VerifyReport, open: readonly Finding[]): Set<string> {
  const lost = new Set<string>();
  for (const { label, status } of backups) {
    const own = open.filter((finding) => finding.label === label);
    const ofManifest = own.filter(({ path }) => /\/backup\.manifest(?:\.copy)?$/.test(path));
    const ofWal = own.filter(({ archiveId }) => archiveId !== undefined);
    const isManifestLost = status === "manifest missing" && ofManifest.length > 0;
    if (isManifestLost || ofWal.length > 0 || ofManifest.some(({ kind }) => kind === "mismatch")) lost.add(label);
    const isHolding = own.length > ofManifest.length + ofWal.length && badFiles.has(label);
    for (const needing of isHolding ? affected.get(label) ?? [] : []) lost.add(needing);
  }
  return lost;
}
