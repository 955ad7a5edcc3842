/**
 * Putting right what verify found, from the copy beside it or from another repository: what comes before what. How each sort of thing is put
 * right is in the files beside this one; each is judged before and behind, and what was damaged is kept.
 */
import { toWalferryError } from "../errors.ts";
import type { ManifestFile } from "../format/manifest.ts";
import { walDirectory } from "../format/wal_name.ts";
import { SEGMENT_BYTES_DEFAULT } from "../repository/wal_segment_size.ts";
import { namesOfRun, SpanBuilder } from "../repository/wal_span.ts";
import type { Finding, FindingKind, FindingList } from "./finding.ts";
import { settleDuplicate } from "./duplicates.ts";
import { checkManifest } from "./manifest_check.ts";
import { realign } from "./realign.ts";
import { type GivenBackup, repairBackup } from "./repair_backup.ts";
import { repairFiles } from "./repair_files.ts";
import { RepairPlace, type RepairPlaceFacts } from "./repair_place.ts";
import { bringWal } from "./repair_wal.ts";
import { ObjectRepair } from "./repair_objects.ts";
import type { VerifyReport } from "./report.ts";
import { checkInfos } from "./stanza_infos.ts";
import { heldPath } from "./stored_set.ts";

/** The four files that describe a stanza. */
const INFO_FILE = /\/(?:archive|backup)\.info(?:\.copy)?$/;

export interface RepairFacts extends RepairPlaceFacts {
  /** The whole stanza was looked at, not one backup. */
  readonly isWhole: boolean;
  readonly report: VerifyReport;
}

/**
 * Repairs what can be; the findings that are put right say so. The backup lock is held by the caller. Order: lost backups as a whole, since
 * they bring everything of theirs; single objects; files that only exist in another form elsewhere; manifests that must agree; at last WAL
 * that nothing here tells of.
 */
export async function repair(facts: RepairFacts): Promise<void> {
  const place = new RepairPlace(facts);
  const { findings } = facts.report;
  const open = () => findings.kept.filter(({ severity, repaired }) => severity === "damage" && repaired === undefined);
  const work = new ObjectRepair(place, facts.report);
  // Everything else is done by what the info files say.
  for (const finding of open()) {
    if (!INFO_FILE.test(finding.path) || finding.disagreement !== undefined) continue;
    const from = await work.put(finding);
    if (from !== undefined) findings.markRepaired(finding, from);
  }
  for (const { label, status } of facts.report.backups) {
    if (status === "manifest missing") await repairWhole(place, label, open(), findings);
  }
  for (const finding of open()) {
    if (finding.kind === "duplicate") await settle(place, finding, findings);
  }
  // Of two that are sound and do not agree no object can be put right. Of two contents of a segment the one that stays must be sound, which
  // may be another finding's work: then it is settled behind it.
  const isObject = ({ kind, disagreement }: Finding) => kind !== "duplicate" && disagreement === undefined;
  const done = new Map<string, string | undefined>();
  for (const finding of open().filter(isObject)) {
    facts.context.signal.throwIfAborted();
    const key = finding.segments === undefined ? finding.path : `${finding.path} ${finding.segments.stop}`;
    if (!done.has(key)) done.set(key, await work.put(finding));
    const from = done.get(key);
    if (from !== undefined) findings.markRepaired(finding, from);
  }
  for (const finding of open()) {
    if (finding.kind === "duplicate") await settle(place, finding, findings);
  }
  for (const [label, bad] of facts.report.badFiles) {
    const left = open().filter((finding) => finding.label === label && finding.archiveId === undefined);
    if (left.length > 0) await remake(place, label, bad, left, findings);
  }
  for (const finding of open()) {
    if (finding.disagreement === "files") await agree(place, finding, findings);
  }
  await lookAgain(place, open(), findings);
  if (facts.isWhole) await bringMissingWal(place, facts.report);
  for (const finding of open()) {
    facts.context.log.warn(`${place.repository.name}: nothing to repair ${finding.path} with`);
  }
}

/** WAL that others have and nothing here tells of. */
async function bringMissingWal(place: RepairPlace, { findings, archives }: VerifyReport): Promise<void> {
  const { repository, stanza, context } = place;
  try {
    for (const { from, archiveId, segments } of await bringWal(place)) {
      context.log.info(`${repository.name}: brought ${segments.length} WAL segment(s) from ${from}`);
      const segmentBytes = archives.find(({ id }) => id === archiveId)?.segmentBytes ?? SEGMENT_BYTES_DEFAULT;
      const builder = new SpanBuilder(segmentBytes);
      for (const name of segments) builder.add(name, 0);
      for (const span of builder.spans) {
        const names = namesOfRun(span, segmentBytes);
        findings.add({
          kind: "missing",
          severity: "damage",
          path: repository.archivePath(stanza, archiveId, walDirectory(names.start), names.start),
          message: `${
            span.last - span.first + 1
          } segment(s) up to ${names.stop} were not here, and nothing here told of them`,
          archiveId,
          segments: names,
          repaired: from,
        });
      }
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: WAL of other repositories was not looked for: [${error.name}] ${error.text}`);
  }
}

/** A backup without manifests is brought whole. */
async function repairWhole(
  place: RepairPlace,
  label: string,
  open: readonly Finding[],
  findings: FindingList,
): Promise<void> {
  const { repository, context } = place;
  let given: GivenBackup | undefined;
  try {
    given = await repairBackup(place, label);
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: unable to repair backup ${label}: [${error.name}] ${error.text}`);
  }
  if (given === undefined) {
    context.log.warn(`${repository.name}: backup ${label} has no manifest, and no repository can give it back`);
    return;
  }
  const { from, disagreeing } = given;
  context.log.info(`${repository.name}: repaired backup ${label} (all of it from ${from})`);
  tellDisagreeing(place, label, disagreeing, findings);
  for (const finding of open) {
    if (finding.label === label && finding.archiveId === undefined) findings.markRepaired(finding, from);
  }
}

/** Backups that look for files of another one where these are no more. */
function tellDisagreeing(
  { repository, stanza }: RepairPlace,
  label: string,
  disagreeing: readonly string[],
  findings: FindingList,
): void {
  for (const dependant of disagreeing) {
    findings.add({
      kind: "mismatch",
      severity: "damage",
      path: repository.backupPath(stanza, dependant, "backup.manifest"),
      message: `it cannot be made to agree with backup ${label}, of which files are stored in another form now`,
      label: dependant,
      disagreement: "files",
    });
  }
}

/** Files whose stored bytes nobody has are made anew from their content. */
async function remake(
  place: RepairPlace,
  label: string,
  bad: ReadonlyMap<string, FindingKind>,
  left: readonly Finding[],
  findings: FindingList,
): Promise<void> {
  const { repository, stanza, context } = place;
  try {
    const info = await repository.loadBackupInfo(stanza);
    const manifest = await repository.loadManifest(stanza, label, info.cipherPass);
    const directory = repository.backupPath(stanza, label);
    const pathOf = (file: ManifestFile) =>
      `${directory}/${file.bundleId === undefined ? heldPath({ file, common: manifest }) : `bundle/${file.bundleId}`}`;
    const paths = new Set(left.map(({ path }) => path));
    const isWhole = paths.has(directory);
    const wanted = [...manifest.files].filter((file) =>
      file.reference === undefined && bad.has(file.name) && (isWhole || paths.has(pathOf(file)))
    );
    const names = new Set(wanted.map(({ name }) => name));
    const { from: given, disagreeing } = await repairFiles(place, label, names);
    tellDisagreeing(place, label, disagreeing, findings);
    for (const finding of left) {
      const members = wanted.filter((file) => finding.path === directory || pathOf(file) === finding.path);
      if (members.length === 0 || !members.every(({ name }) => given.has(name))) continue;
      const from = [...new Set(members.map(({ name }) => given.get(name)!))].join(", ");
      findings.markRepaired(finding, from);
      context.log.info(
        `${repository.name}: repaired ${finding.path} (${members.length} file(s) made anew from ${from})`,
      );
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: unable to make files of ${label} anew: [${error.name}] ${error.text}`);
  }
}

/** What was repaired may have made those agree that did not. */
async function lookAgain(place: RepairPlace, open: readonly Finding[], findings: FindingList): Promise<void> {
  const { repository, stanza, context } = place;
  for (const finding of open) {
    const { disagreement, label } = finding;
    if (disagreement !== "infos" && disagreement !== "entry") continue;
    const now: Finding[] = [];
    try {
      if (disagreement === "infos") await checkInfos(repository, stanza, (one) => now.push(one));
      else {
        const { backups, cipherPass } = await repository.loadBackupInfo(stanza);
        const entry = backups.find((one) => one.label === label);
        if (entry === undefined) continue;
        await checkManifest(repository, stanza, entry, cipherPass, (one) => now.push(one));
      }
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toWalferryError(thrown);
      context.log.warn(`${repository.name}: unable to look at ${finding.path} again: [${error.name}] ${error.text}`);
      continue;
    }
    if (now.length === 0) findings.markRepaired(finding, "a second look");
  }
}

/** Of one segment with two contents the one stays that another repository has. */
async function settle(place: RepairPlace, finding: Finding, findings: FindingList): Promise<void> {
  const { repository, context } = place;
  try {
    const settled = await settleDuplicate(place, finding.path);
    if (settled === undefined) return;
    for (const one of findings.kept) {
      if (one === finding || settled.removed.includes(one.path)) findings.markRepaired(one, settled.from);
    }
    context.log.info(
      `${repository.name}: took ${settled.removed.join(", ")} out, ${settled.from} has the other content`,
    );
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: unable to repair ${finding.path}: [${error.name}] ${error.text}`);
  }
}

/** A repair that was cut off may have left manifests that say where files were. */
async function agree(place: RepairPlace, finding: Finding, findings: FindingList): Promise<void> {
  const { repository, context } = place;
  try {
    if (await realign(place, finding.label!)) {
      findings.markRepaired(finding, "the manifest of the backup that holds it");
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: unable to repair ${finding.path}: [${error.name}] ${error.text}`);
  }
}
