/**
 * Single objects that are missing or damaged, put right from the copy beside them or from another repository. States for each: looked at again
 * (it may be sound by now), a right one found, the damaged one kept aside, the right one written under its name (atomic), read back. A crash
 * before the write leaves what was there; behind it the right object and the damaged one aside.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { parseArchiveInfo } from "../format/archive_info.ts";
import { parseBackupInfo } from "../format/backup_info.ts";
import { parseTimelineHistory } from "../format/timeline_history.ts";
import { isBackupLabelName, isHistoryName, segmentNumber, timelineOf, walDirectory } from "../format/wal_name.ts";
import { decodeText, readManifest } from "../repository/info_bytes.ts";
import { encryption, HISTORY_LEVEL, INFO_BYTES_MAX } from "../repository/repository.ts";
import { archiveIdOf, archiveIdsOf, findSegments } from "../repository/wal_archive.ts";
import { compressFilter } from "../stream/compress.ts";
import { compressTypeOfName } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { collect, drain, streamOf } from "../stream/sources.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import type { CopiedFile } from "./copies.ts";
import type { Finding } from "./finding.ts";
import { judgeObject, type ObjectRequest } from "./object_job.ts";
import { archiveInfoFile, backupInfoFile } from "./stanza_infos.ts";
import { isUnreadable, RepairPlace } from "./repair_place.ts";
import type { VerifyReport } from "./report.ts";
import { namesOfRun, segmentsOfRun } from "../repository/wal_span.ts";

/** Segments of one hole that are fetched; who has lost more takes a new backup. */
const HOLE_MAX = 10_000;
/** Largest history or backup label file, in bytes. */
const SMALL_BYTES_MAX = 1024 * 1024;

export class ObjectRepair {
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
    // An empty segment was never read.
    const segment = /^archive\/[^/]+\/([^/]+)\/[0-9A-F]{16}\/([0-9A-F]{24})-([0-9a-f]{40})/.exec(path);
    if (segment !== null) return await this.#putSegment(segment[1]!, segment[2]!, segment[3], path);
    if (/^(?:archive\.info|backup\.info|backup\.manifest)(?:\.copy)?$/.test(name)) {
      return await this.#putCopy(path, name);
    }
    if (name.endsWith(".manifest.gz")) return await this.#putKeptManifest(path, name.slice(0, -".manifest.gz".length));
    if (isHistoryName(name) || isBackupLabelName(name)) return await this.#putSmall(path, name);
    return undefined;
  }

  /** An object whose hash is known. */
  async #putJudged(request: ObjectRequest): Promise<string | undefined> {
    const { repository } = this.#facts;
    const { path } = request;
    // What was read wrongly once may be read rightly now: the store's fault, not the object's.
    if (isRight(await judgeObject(request, repository.storage))) return "a second look";
    const from = await this.#facts.askOthers(path, async (other) => {
      if (!isRight(await judgeObject(request, other.storage))) return undefined;
      await this.#facts.keepAside(path);
      const stream = await other.storage.read(path);
      if (stream === undefined) return undefined;
      await repository.storage.write(path, stream);
      await this.#assertRight(request);
      return other.name;
    });
    return from ?? (path.startsWith("archive/") ? await this.#putObject(path, undefined) : undefined);
  }

  /** A segment as another repository has it, under its own passphrase. @param checksum `undefined`: the only one there is */
  async #putSegment(
    archiveId: string,
    name: string,
    checksum: string | undefined,
    damaged: string | undefined,
  ): Promise<string | undefined> {
    const { repository, stanza, context } = this.#facts;
    const own = await repository.loadArchiveInfo(stanza);
    const cluster = own.history.find((entry) => archiveIdOf(entry) === archiveId);
    if (cluster === undefined) return undefined;
    return await this.#facts.askOthers(`segment ${name}`, async (other) => {
      if (other.config.role === "backup") return undefined;
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
      return undefined;
    });
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
    // What was repaired before may have brought both.
    if (isDamagedRight && await this.#areSame(path, sibling)) return "a second look";
    // Of two manifests that can be read and differ nobody can tell.
    if (isDamagedRight && (name.startsWith("backup.manifest") || !path.endsWith(".copy"))) return undefined;
    const isStale = isDamagedRight && await this.#isCopyHolding(sibling);
    const [good, bad] = isStale ? [path, sibling] : [sibling, path];
    const stored = await repository.storage.read(good);
    if (stored === undefined) return undefined;
    await this.#facts.keepAside(bad);
    await repository.storage.write(bad, stored);
    if (!await this.#isRightCopy(bad)) throw new WalferryError("Checksum", "what was written cannot be read back");
    return good.slice(good.lastIndexOf("/") + 1);
  }

  async #areSame(...paths: string[]): Promise<boolean> {
    const hashes = new Set<string | undefined>();
    for (const path of paths) {
      const stream = await this.#readCopied(path);
      const meter = new Sha1Meter();
      if (stream !== undefined) await drain(meter.through(stream));
      hashes.add(stream && meter.digestHex());
    }
    return hashes.size === 1;
  }

  /** Of an info file and its copy, which both can be read and differ. */
  async #isCopyHolding(path: string): Promise<boolean> {
    const { repository, stanza } = this.#facts;
    const judge = async <T>({ decode, read, isOlder }: CopiedFile<T>): Promise<boolean> => {
      const values: T[] = [];
      for (const one of [path, `${path}.copy`]) {
        const stream = await read(one);
        if (stream === undefined) return false;
        values.push(await decode(stream));
      }
      return await isOlder!(values[0]!, values[1]!);
    };
    return path.endsWith("/archive.info")
      ? await judge(archiveInfoFile(repository, stanza))
      : await judge(backupInfoFile(repository, stanza));
  }

  /** Content of an info file or manifest. */
  async #readCopied(path: string): Promise<ByteStream | undefined> {
    const { repository, stanza } = this.#facts;
    if (!isManifest(path)) return await repository.readInfo(path);
    return await repository.readWith(path, (await repository.loadBackupInfo(stanza)).cipherPass);
  }

  async #isRightCopy(path: string): Promise<boolean> {
    try {
      const stream = await this.#readCopied(path);
      if (stream === undefined) return false;
      if (isManifest(path)) return (await readManifest(stream)).label === path.split("/")[2];
      const text = decodeText(await collect(stream, INFO_BYTES_MAX));
      (path.includes("/archive.info") ? parseArchiveInfo : parseBackupInfo)(text);
      return true;
    } catch (thrown) {
      if (isContentFailure(thrown) || isUnreadable(thrown)) return false;
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
    const { repository, stanza } = this.#facts;
    const archiveId = path.split("/")[2]!;
    const own = await repository.loadArchiveInfo(stanza);
    const cluster = own.history.find((entry) => archiveIdOf(entry) === archiveId);
    if (cluster === undefined || !this.#report.archives.some(({ id }) => id === archiveId)) return undefined;
    return await this.#facts.askOthers(path, async (other) => {
      if (other.config.role === "backup") return undefined;
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
      return undefined;
    });
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

function isManifest(path: string): boolean {
  return path.includes("/backup.manifest");
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
