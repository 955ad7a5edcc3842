/**
 * Putting right what verify found, from the copy beside it or from another repository. States for each object: looked at again (it may be
 * sound by now), a right one found, the damaged one kept aside, the right one written under its name (atomic), read back. A crash before
 * the write leaves what was there; behind it the right object and the damaged one aside.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { parseArchiveInfo } from "../format/archive_info.ts";
import { parseBackupInfo } from "../format/backup_info.ts";
import { parseManifest } from "../format/manifest_codec.ts";
import { parseTimelineHistory } from "../format/timeline_history.ts";
import { isBackupLabelName, isHistoryName, segmentNumber, timelineOf, walDirectory } from "../format/wal_name.ts";
import type { ManifestFile } from "../format/manifest.ts";
import { decodeText, encryption, HISTORY_LEVEL, INFO_BYTES_MAX, MANIFEST_BYTES_MAX } from "../repository/repository.ts";
import { archiveIdOf, archiveIdsOf, findSegments } from "../repository/wal_archive.ts";
import { compressFilter } from "../stream/compress.ts";
import { compressTypeOfName } from "../stream/compress_type.ts";
import { collect, streamOf } from "../stream/sources.ts";
import { pipeline } from "../stream/byte_stream.ts";
import type { Finding, FindingKind, FindingList } from "./finding.ts";
import { judgeObject, type ObjectRequest } from "./object_job.ts";
import { settleDuplicate } from "./duplicates.ts";
import { isMainStale } from "./stale_info.ts";
import { realign } from "./realign.ts";
import { repairBackup } from "./repair_backup.ts";
import { repairFiles } from "./repair_files.ts";
import { RepairPlace, type RepairPlaceFacts } from "./repair_place.ts";
import { bringWal } from "./repair_wal.ts";
import type { VerifyReport } from "./report.ts";
import { heldPath } from "./stored_set.ts";
import { namesOfRun, segmentsOfRun } from "../repository/wal_span.ts";

/** Segments of one hole that are fetched; who has lost more takes a new backup. */
const HOLE_MAX = 10_000;
/** Largest history or backup label file, in bytes. */
const SMALL_BYTES_MAX = 1024 * 1024;

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
  for (const { label, status } of facts.report.backups) {
    if (status === "manifest missing") await repairWhole(place, label, open(), findings);
  }
  for (const finding of open()) {
    if (finding.kind === "duplicate") await settle(place, finding, findings);
  }
  const work = new Repair(place, facts.report);
  const done = new Map<string, string | undefined>();
  for (const finding of open()) {
    facts.context.signal.throwIfAborted();
    const key = finding.segments === undefined ? finding.path : `${finding.path} ${finding.segments.stop}`;
    if (!done.has(key)) done.set(key, await work.put(finding));
    const from = done.get(key);
    if (from !== undefined) findings.markRepaired(finding, from);
  }
  for (const [label, bad] of facts.report.badFiles) {
    const left = open().filter((finding) => finding.label === label && finding.archiveId === undefined);
    if (left.length > 0) await remake(place, label, bad, left, findings);
  }
  for (const finding of open()) {
    if (finding.kind === "mismatch" && finding.label !== undefined) await agree(place, finding, findings);
  }
  if (facts.isWhole) await bringMissingWal(place, findings);
  for (const finding of open()) {
    facts.context.log.warn(`${place.repository.name}: nothing to repair ${finding.path} with`);
  }
}

/** WAL that others have and nothing here tells of. */
async function bringMissingWal(place: RepairPlace, findings: FindingList): Promise<void> {
  const { repository, stanza, context } = place;
  try {
    for (const { from, segments } of await bringWal(place)) {
      const [first, last] = [segments[0]!, segments.at(-1)!];
      context.log.info(`${repository.name}: brought ${segments.length} WAL segment(s) from ${from}`);
      findings.add({
        kind: "missing",
        severity: "damage",
        path: repository.archivePath(stanza, first),
        message:
          `${segments.length} WAL segment(s) from ${first} to ${last} were not here, and nothing here told of them`,
        repaired: from,
      });
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
  const from = await repairBackup(place, label);
  if (from === undefined) {
    context.log.warn(`${repository.name}: backup ${label} has no manifest, and no repository can give it back`);
    return;
  }
  context.log.info(`${repository.name}: repaired backup ${label} (all of it from ${from})`);
  for (const finding of open) {
    if (finding.label === label && finding.archiveId === undefined) findings.markRepaired(finding, from);
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
      `${directory}/${
        file.bundleId === undefined ? heldPath({ file, common: manifest, isThere: true }) : `bundle/${file.bundleId}`
      }`;
    const paths = new Set(left.map(({ path }) => path));
    const isWhole = paths.has(directory);
    const wanted = [...manifest.files].filter((file) =>
      file.reference === undefined && bad.has(file.name) && (isWhole || paths.has(pathOf(file)))
    );
    const given = await repairFiles(place, label, new Set(wanted.map(({ name }) => name)));
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
    const isManifest = finding.path === repository.backupPath(place.stanza, finding.label!, "backup.manifest");
    if (!isManifest || !finding.message.startsWith("the manifests of ")) return;
    if (await realign(place, finding.label!)) {
      findings.markRepaired(finding, "the manifest of the backup that holds it");
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = toWalferryError(thrown);
    context.log.warn(`${repository.name}: unable to repair ${finding.path}: [${error.name}] ${error.text}`);
  }
}

class Repair {
  readonly #facts: RepairPlace;
  readonly #report: VerifyReport;

  constructor(place: RepairPlace, report: VerifyReport) {
    this.#facts = place;
    this.#report = report;
  }

  /** @returns where the right one came from; `undefined` when it could not be put right */
  async put(finding: Finding): Promise<string | undefined> {
    const { context, repository } = this.#facts;
    const { path, segments } = finding;
    try {
      const from = segments !== undefined && finding.archiveId !== undefined
        ? await this.#fillHole(finding.archiveId, segments)
        : await this.#putObject(path, this.#report.damaged.get(path));
      if (from !== undefined) context.log.info(`${repository.name}: repaired ${path} (from ${from})`);
      return from;
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toWalferryError(thrown);
      context.log.warn(`${repository.name}: unable to repair ${path}: [${error.name}] ${error.text}`);
      return undefined;
    }
  }

  async #putObject(path: string, request: ObjectRequest | undefined): Promise<string | undefined> {
    if (request !== undefined) return await this.#putJudged(request);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (/^(?:archive\.info|backup\.info|backup\.manifest)(?:\.copy)?$/.test(name)) {
      return await this.#putCopy(path, name);
    }
    if (name.endsWith(".manifest.gz")) return await this.#putKeptManifest(path, name.slice(0, -".manifest.gz".length));
    if (isHistoryName(name) || isBackupLabelName(name)) return await this.#putSmall(path, name);
    return undefined;
  }

  /** An object whose hash is known. */
  async #putJudged(request: ObjectRequest): Promise<string | undefined> {
    const { repository, others } = this.#facts;
    // What was read wrongly once may be read rightly now: the store's fault, not the object's.
    if (isRight(await judgeObject(request, repository.storage))) return "a second look";
    for (const other of others) {
      if (isRight(await judgeObject(request, other.storage))) {
        await this.#facts.keepAside(request.path);
        const stream = await other.storage.read(request.path);
        if (stream === undefined) continue;
        await repository.storage.write(request.path, stream);
        await this.#assertRight(request);
        return other.name;
      }
    }
    const [, , archiveId, , storedName] = request.path.split("/");
    if (!request.path.startsWith("archive/") || storedName === undefined) return undefined;
    return await this.#putSegment(archiveId!, storedName.slice(0, 24), storedName.slice(25, 65), request.path);
  }

  /** A segment as another repository has it, under its own passphrase. @param checksum `undefined`: the only one there is */
  async #putSegment(
    archiveId: string,
    name: string,
    checksum: string | undefined,
    damaged: string | undefined,
  ): Promise<string | undefined> {
    const { repository, others, stanza, context } = this.#facts;
    const own = await repository.loadArchiveInfo(stanza);
    const cluster = own.history.find((entry) => archiveIdOf(entry) === archiveId);
    if (cluster === undefined) return undefined;
    for (const other of others) {
      const info = await other.loadArchiveInfo(stanza);
      for (const otherId of archiveIdsOf(info, cluster.pgVersion, cluster.systemId)) {
        const found = await findSegments(other, stanza, otherId, name, context.signal);
        const wanted = found.filter((one) => checksum === undefined || one.checksum === checksum);
        if (new Set(wanted.map((one) => one.checksum)).size !== 1) continue;
        for (const { path, name: storedName, checksum: found } of wanted) {
          const form = { compressType: compressTypeOfName(path), framing: "normal" } as const;
          const part = { offsetBytes: 0, checksum: found, segment: { name, systemId: cluster.systemId } };
          const there: ObjectRequest = { path, parts: [{ ...part, form: { ...form, cipherPass: info.cipherPass } }] };
          if (!isRight(await judgeObject(there, other.storage))) continue;
          const target = repository.archivePath(stanza, archiveId, walDirectory(name), storedName);
          if (damaged !== undefined) await this.#facts.keepAside(damaged);
          const stream = await other.readWith(path, info.cipherPass);
          if (stream === undefined) continue;
          await repository.storage.write(target, pipeline(stream, ...encryption(own.cipherPass)));
          await this.#assertRight({
            path: target,
            parts: [{ ...part, form: { ...form, cipherPass: own.cipherPass } }],
          });
          // Only now: until here there was nothing better than the damaged one.
          if (damaged !== undefined && damaged !== target) await repository.storage.remove(damaged);
          return other.name;
        }
      }
    }
    return undefined;
  }

  async #fillHole(archiveId: string, { start, stop }: { start: string; stop: string }): Promise<string | undefined> {
    const { repository, stanza, context } = this.#facts;
    const segmentBytes = this.#report.archives.find(({ id }) => id === archiveId)!.segmentBytes;
    const place = (name: string) => segmentNumber(name, segmentBytes);
    const run = { timeline: timelineOf(start), first: place(start), last: place(stop) };
    if (run.last - run.first >= HOLE_MAX) {
      const names = namesOfRun(run, segmentBytes);
      context.log.warn(`${repository.name}: ${names.start} to ${names.stop} are too many segments to be fetched`);
      return undefined;
    }
    const sources = new Set<string>();
    for (const name of segmentsOfRun(run, segmentBytes)) {
      // The finding before this one may have brought it.
      if ((await findSegments(repository, stanza, archiveId, name, context.signal)).length > 0) continue;
      const from = await this.#putSegment(archiveId, name, undefined, undefined);
      if (from === undefined) return undefined;
      sources.add(from);
    }
    return sources.size === 0 ? "a second look" : [...sources].join(", ");
  }

  /** An info file or manifest from the other of the two. */
  async #putCopy(path: string, name: string): Promise<string | undefined> {
    const { repository } = this.#facts;
    const sibling = path.endsWith(".copy") ? path.slice(0, -".copy".length) : `${path}.copy`;
    const [isDamagedRight, isSiblingRight] = [await this.#isRightCopy(path), await this.#isRightCopy(sibling)];
    if (!isSiblingRight) return undefined;
    // Of two manifests that can be read and differ nobody can tell.
    if (isDamagedRight && (name.startsWith("backup.manifest") || !path.endsWith(".copy"))) return undefined;
    const isStale = isDamagedRight && await isMainStale(this.#facts, sibling);
    const [good, bad] = isStale ? [path, sibling] : [sibling, path];
    const stored = await repository.storage.read(good);
    if (stored === undefined) return undefined;
    const bytes = await collect(stored, MANIFEST_BYTES_MAX);
    await this.#facts.keepAside(bad);
    await repository.storage.write(bad, bytes);
    if (!await this.#isRightCopy(bad)) throw new WalferryError("Checksum", "what was written cannot be read back");
    return good.slice(good.lastIndexOf("/") + 1);
  }

  async #isRightCopy(path: string): Promise<boolean> {
    const { repository, stanza } = this.#facts;
    const isManifest = path.includes("/backup.manifest");
    const passphrase = isManifest ? (await repository.loadBackupInfo(stanza)).cipherPass : repository.infoPassphrase;
    try {
      const stream = await repository.readWith(path, passphrase);
      if (stream === undefined) return false;
      const text = decodeText(await collect(stream, isManifest ? MANIFEST_BYTES_MAX : INFO_BYTES_MAX));
      if (isManifest) return parseManifest(text).label === path.split("/")[2];
      (path.includes("/archive.info") ? parseArchiveInfo : parseBackupInfo)(text);
      return true;
    } catch (thrown) {
      if (isContentFailure(thrown)) return false;
      throw thrown;
    }
  }

  /** A manifest in `backup.history` is the backup's own. */
  async #putKeptManifest(path: string, label: string): Promise<string | undefined> {
    const { repository, stanza } = this.#facts;
    const source = repository.backupPath(stanza, label, "backup.manifest");
    if (!await this.#isRightCopy(source)) return undefined;
    const { cipherPass } = await repository.loadBackupInfo(stanza);
    const stream = await repository.readWith(source, cipherPass);
    if (stream === undefined) return undefined;
    await this.#facts.keepAside(path);
    const compress = compressFilter({ type: "gz", level: HISTORY_LEVEL });
    await repository.storage.write(path, pipeline(stream, compress, ...encryption(cipherPass)));
    return "backup.manifest";
  }

  /** A timeline history or backup label file, which has no hash: the first one that can be understood. */
  async #putSmall(path: string, name: string): Promise<string | undefined> {
    const { repository, others, stanza } = this.#facts;
    const archiveId = path.split("/")[2]!;
    const own = await repository.loadArchiveInfo(stanza);
    const cluster = own.history.find((entry) => archiveIdOf(entry) === archiveId);
    if (cluster === undefined || !this.#report.archives.some(({ id }) => id === archiveId)) return undefined;
    for (const other of others) {
      const info = await other.loadArchiveInfo(stanza);
      for (const otherId of archiveIdsOf(info, cluster.pgVersion, cluster.systemId)) {
        const stream = await other.readWith(
          other.archivePath(stanza, otherId, walDirectory(name), name),
          info.cipherPass,
        );
        if (stream === undefined) continue;
        const bytes = await collect(stream, SMALL_BYTES_MAX);
        if (!isUnderstood(bytes, name)) continue;
        await this.#facts.keepAside(path);
        await repository.storage.write(path, pipeline(streamOf(bytes), ...encryption(own.cipherPass)));
        return other.name;
      }
    }
    return undefined;
  }

  async #assertRight(request: ObjectRequest): Promise<void> {
    const { repository } = this.#facts;
    if (isRight(await judgeObject(request, repository.storage))) return;
    throw new WalferryError("Checksum", `'${repository.display(request.path)}' is not what was written`, {
      hint: "the store does not give back what it took.",
    });
  }
}

function isRight(verdicts: Awaited<ReturnType<typeof judgeObject>>): boolean {
  return verdicts.every((verdict) => verdict === undefined);
}

function isContentFailure(thrown: unknown): boolean {
  const { kind } = toWalferryError(thrown);
  return kind === "Format" || kind === "JsonFormat" || kind === "Checksum" || kind === "Crypto";
}

function isUnderstood(bytes: Uint8Array, name: string): boolean {
  try {
    const text = decodeText(bytes);
    if (!text.endsWith("\n")) return false;
    if (isHistoryName(name)) return parseTimelineHistory(text, timelineOf(name)).length > 0;
    return text.startsWith("START WAL LOCATION: ") && text.includes(`(file ${name.slice(0, 24)})`);
  } catch (thrown) {
    if (isContentFailure(thrown)) return false;
    throw thrown;
  }
}
