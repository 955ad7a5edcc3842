/** One archive id: what lies in it, whether it is continuous, and its segments as objects to read. */
import type { StorageEntry } from "../../backends/contract.ts";
import { toWalferryError, WalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { parseTimelineHistory, type TimelineFork } from "../format/timeline_history.ts";
import { historyNameOf, isPossibleSegment, timelineOf } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { decodeText, type Repository } from "../repository/repository.ts";
import { compressTypeOfName } from "../stream/compress_type.ts";
import { collect } from "../stream/sources.ts";
import { kindOf } from "./copies.ts";
import { countInvalid, emptyTally, type Finding } from "./finding.ts";
import type { DamagedObjects } from "./damaged_objects.ts";
import type { ObjectRequest, Verdict } from "./object_job.ts";
import type { SubjectObject } from "./object_reader.ts";
import type { ArchiveReport } from "./report.ts";
import { isStoreFailure } from "../repository/store_failure.ts";
import { listArchiveId, listWalDirectory, type StoredSegment } from "../repository/wal_directory.ts";
import { digestOf, provedIn, type VerifiedWal } from "../repository/verified_record.ts";
import { continuousFrom, type NeedFacts, type WalNeed, walNeeds } from "../repository/wal_needs.ts";
import { findSegmentBytes, SEGMENT_BYTES_DEFAULT } from "../repository/wal_segment_size.ts";
import {
  ARRIVING_MS,
  missingIn,
  namesOfRun,
  outside,
  type SegmentRun,
  segmentsOfRun,
  type SegmentSpan,
  SpanBuilder,
} from "../repository/wal_span.ts";

/** Largest timeline history or backup label file that is read, in bytes. */
const SMALL_FILE_BYTES_MAX = 1024 * 1024;
/** Small files that are read at once: hides the way to an object store. */
const READ_TOGETHER = 16;
/** So long a hole is waited for. */
const ARRIVAL_WAIT_MS = 5_000;
const ARRIVAL_LOOK_MS = 250;
/** Hashes of segments that a finding names, at most. */
const NAMED_MAX = 1000;

export interface ArchiveCheckFacts {
  readonly repository: Repository;
  readonly stanza: string;
  readonly archiveId: string;
  /** From `archive.info`; `undefined` when that does not know the archive id. */
  readonly systemId: bigint | undefined;
  readonly historyId: number | undefined;
  readonly isCurrent: boolean;
  /** `undefined` with `isReadable` false: the passphrase is lost with `archive.info`. */
  readonly cipherPass: string | undefined;
  readonly isReadable: boolean;
  readonly context: CommandContext;
  readonly add: (finding: Finding) => void;
  readonly damaged: DamagedObjects;
}

/** A segment that is read. */
export interface SegmentSubject {
  readonly segment: StoredSegment;
  readonly path: string;
}

export class ArchiveCheck {
  readonly report: ArchiveReport;
  readonly #facts: ArchiveCheckFacts;
  readonly #root: string;
  #directories: readonly string[] = [];
  #spans: readonly SegmentSpan[] = [];
  #segmentBytes = SEGMENT_BYTES_DEFAULT;
  /** By directory that was gone through to be read, of what was listed there. */
  readonly #digests = new Map<string, string>();
  readonly #forks = new Map<number, readonly TimelineFork[]>();
  readonly #historyFiles = new Set<number>();
  /** Segments that were listed and were gone when they were to be read. */
  readonly #vanished: string[] = [];
  /** Segments that are not as they must be. */
  readonly #bad = new Set<string>();
  #waitUntilMs: number | undefined;
  /** Whether segments could be opened. */
  get isReadable(): boolean {
    return this.#facts.isReadable;
  }

  /** Stored bytes of all segments. */
  storedBytes = 0;

  constructor(facts: ArchiveCheckFacts) {
    this.#facts = facts;
    this.#root = facts.repository.archivePath(facts.stanza, facts.archiveId);
    this.report = { id: facts.archiveId, segmentBytes: SEGMENT_BYTES_DEFAULT, tally: emptyTally(), read: 0, spans: [] };
  }

  #add(finding: Omit<Finding, "archiveId">): void {
    this.#facts.add({ ...finding, archiveId: this.#facts.archiveId });
  }

  /** Lists everything once, and reads the small files. @throws WalferryError of the store */
  async list(readSmallFiles: boolean): Promise<void> {
    const { repository, context } = this.#facts;
    const { directories, histories, strays } = await listArchiveId(repository, this.#root, context.signal);
    this.#directories = directories;
    for (const entry of strays) this.#stray(`${this.#root}/${entry.name}`);
    for (const entry of histories) await this.#readHistory(entry);
    if (this.#facts.isReadable) {
      const { cipherPass } = this.#facts;
      this.#segmentBytes = await findSegmentBytes(repository, this.#root, directories, cipherPass, context.signal);
    }
    this.report.segmentBytes = this.#segmentBytes;
    const builder = new SpanBuilder(this.#segmentBytes);
    for (const name of directories) await this.#listDirectory(name, builder, readSmallFiles);
    this.#spans = builder.spans;
    this.report.spans = builder.spans.map((span) => ({
      ...namesOfRun(span, this.#segmentBytes),
      segments: span.last - span.first + 1,
    }));
  }

  async #listDirectory(name: string, builder: SpanBuilder, readSmallFiles: boolean): Promise<void> {
    const { repository, context } = this.#facts;
    const root = `${this.#root}/${name}`;
    const { segments, labelFiles, strays } = await listWalDirectory(repository, this.#root, name, context.signal);
    for (const entry of strays) this.#stray(`${root}/${entry.name}`);
    let before: StoredSegment | undefined;
    for (const segment of segments) {
      if (!isPossibleSegment(segment.name, this.#segmentBytes)) {
        this.#stray(`${root}/${segment.storedName}`);
        continue;
      }
      this.report.tally.checked += 1;
      this.storedBytes += segment.sizeBytes;
      if (segment.sizeBytes === 0) {
        this.#badSegment(`${root}/${segment.storedName}`, segment.name, "size", "it is empty");
      }
      if (before?.name === segment.name && before.partial === segment.partial && before.checksum !== segment.checksum) {
        this.#badSegment(
          `${root}/${segment.storedName}`,
          segment.name,
          "duplicate",
          `the segment is also stored as ${before.storedName}`,
        );
      }
      before = segment;
      if (!segment.partial) builder.add(segment.name, segment.storedTime);
    }
    if (!readSmallFiles) return;
    for (let from = 0; from < labelFiles.length; from += READ_TOGETHER) {
      const some = labelFiles.slice(from, from + READ_TOGETHER);
      await Promise.all(some.map(({ name }) => this.#readLabelFile(`${root}/${name}`, name)));
    }
  }

  #stray(path: string): void {
    this.#add({ kind: "stray", severity: "notice", path, message: "it does not belong here" });
  }

  /** A finding that counts against the segments. */
  #badSegment(path: string, name: string, kind: Finding["kind"], message: string): void {
    this.#bad.add(name);
    this.#add({ kind, severity: "damage", path, message });
    countInvalid(this.report.tally, kind);
  }

  async #readHistory({ name }: StorageEntry): Promise<void> {
    const timeline = timelineOf(name);
    this.#historyFiles.add(timeline);
    await this.#readSmall(
      `${this.#root}/${name}`,
      (text) => this.#forks.set(timeline, parseTimelineHistory(text, timeline)),
    );
  }

  async #readLabelFile(path: string, name: string): Promise<void> {
    await this.#readSmall(path, (text) => {
      const isIt = text.startsWith("START WAL LOCATION: ") && text.includes(`(file ${name.slice(0, 24)})`);
      if (isIt && text.includes("\nSTOP TIME: ")) return;
      throw new WalferryError("Format", `it is not the backup label of segment ${name.slice(0, 24)}`);
    });
  }

  async #readSmall(path: string, understand: (text: string) => void): Promise<void> {
    const { repository, cipherPass, isReadable } = this.#facts;
    if (!isReadable) return;
    try {
      const stream = await repository.readWith(path, cipherPass);
      // Expired since it was listed.
      if (stream === undefined) return;
      const text = decodeText(await collect(stream, SMALL_FILE_BYTES_MAX));
      // There is no hash of it: that it is whole shows in its end only.
      if (!text.endsWith("\n")) throw new WalferryError("Format", "its last line is cut off");
      understand(text);
    } catch (thrown) {
      const error = toWalferryError(thrown);
      if (isStoreFailure(error)) throw error;
      this.#add({ kind: kindOf(error), severity: "damage", path, message: `it cannot be used: ${error.message}` });
    }
  }

  /**
   * Segments to read, listed anew, directory by directory.
   * @param known what was read before, and is not read again
   */
  async *objects(
    isChosen: () => boolean,
    isWanted: (segment: string) => boolean,
    known?: VerifiedWal,
  ): AsyncGenerator<SubjectObject<SegmentSubject>> {
    const { repository, context, cipherPass, isReadable, systemId } = this.#facts;
    if (!isReadable) return;
    for (const directory of this.#directories) {
      const { segments } = await listWalDirectory(repository, this.#root, directory, context.signal);
      const possible = segments.filter(({ name }) => isPossibleSegment(name, this.#segmentBytes));
      const isProved = provedIn(known, directory, possible);
      this.#digests.set(directory, digestOf(possible, { segmentBytes: this.#segmentBytes, runs: this.#spans }));
      for (const segment of possible) {
        if (segment.sizeBytes === 0 || isProved(segment.name) || !isWanted(segment.name) || !isChosen()) continue;
        const path = `${this.#root}/${directory}/${segment.storedName}`;
        const form = { compressType: compressTypeOfName(path), framing: "normal", cipherPass } as const;
        const part = {
          offsetBytes: 0,
          form,
          // What a server had not finished may be shorter.
          sizeBytes: segment.partial ? undefined : this.#segmentBytes,
          checksum: segment.checksum,
          segment: systemId === undefined ? undefined : { name: segment.name, systemId },
        };
        yield {
          request: { path, parts: [part] },
          sizeBytes: segment.sizeBytes,
          subjects: [{ segment, path }],
        };
      }
    }
  }

  /** What came of reading one. */
  take({ segment, path }: SegmentSubject, verdict: Verdict, request: ObjectRequest): void {
    this.report.read += 1;
    if (verdict === undefined) return;
    if (verdict.kind === "missing") {
      // Expired, or lost: the end of the run tells.
      if (this.#vanished.length < NAMED_MAX) this.#vanished.push(segment.name);
      return;
    }
    this.#facts.damaged.add(request);
    this.#badSegment(path, segment.name, verdict.kind, verdict.message);
  }

  /** What is there and sound, given that everything was read now or before. */
  verifiedRuns(): Omit<VerifiedWal, "systemId"> {
    const unsound = [...this.#vanished, ...this.#bad];
    const runs = this.#spansWithout(unsound).map(({ timeline, first, last }) => ({ timeline, first, last }));
    // The digest of a directory holds all that was listed there: where some of it was not sound, it is read again.
    const left = new Set(unsound.map((name) => name.slice(0, 16)));
    const directories = new Map([...this.#digests].filter(([name]) => !left.has(name)));
    return { segmentBytes: this.#segmentBytes, runs, directories };
  }

  /** Holds what is there against what is needed; the last step, with `backup.info` as it is now. */
  async checkNeeds(backupInfo: BackupInfo, set: string | undefined): Promise<void> {
    const { historyId, repository, isCurrent, context } = this.#facts;
    if (historyId === undefined) return;
    const facts: NeedFacts = {
      historyId,
      isCurrent,
      backupInfo,
      retention: repository.config.retention,
      spans: this.#spansWithout(this.#vanished),
      forks: this.#forks,
      segmentBytes: this.#segmentBytes,
      nowMs: context.clock.nowMs(),
      set,
    };
    const told: SegmentRun[] = [];
    for (const need of walNeeds(facts)) {
      for (const hole of missingIn(facts.spans, need.run)) {
        // What a backup lacks was told with the backup.
        for (const part of need.label === undefined ? outside(hole, told) : [hole]) {
          for (const run of await this.#confirm(part, need)) this.#tellMissing(run, need, told);
        }
      }
    }
    if (set === undefined) this.#checkHistoryFiles(continuousFrom(facts));
  }

  #spansWithout(names: readonly string[]): readonly SegmentSpan[] {
    if (names.length === 0) return this.#spans;
    const builder = new SpanBuilder(this.#segmentBytes);
    const gone = new Set(names);
    for (const span of this.#spans) {
      for (const name of segmentsOfRun(span, this.#segmentBytes)) {
        if (!gone.has(name)) builder.add(name, span.firstStoredTime);
      }
    }
    return builder.spans;
  }

  #tellMissing(run: SegmentRun, need: WalNeed, told: SegmentRun[]): void {
    const { label, unchecked, copied } = need;
    const fresh = outside(run, told);
    const names = namesOfRun(run, this.#segmentBytes);
    const count = run.last - run.first + 1;
    const what = count === 1 ? "the segment is missing" : `${count} segments up to ${names.stop} are missing`;
    this.#add({
      kind: label === undefined ? "gap" : "missing",
      severity: unchecked || copied ? "notice" : "damage",
      path: `${this.#root}/${names.start.slice(0, 16)}/${names.start}`,
      message: label === undefined
        ? `${what}: recovery from an earlier backup ends here`
        : `${what}: backup ${label} needs ${count === 1 ? "it" : "them"} to become consistent${
          copied ? ", and holds a copy" : ""
        }`,
      label,
      segments: names,
    });
    for (const { first, last } of fresh) {
      // What is missing was never listed, but it was looked for.
      this.report.tally.checked += last - first + 1;
      countInvalid(this.report.tally, "missing", last - first + 1);
    }
    told.push(...fresh);
  }

  /** What of a hole is still one when it is looked at again. */
  async #confirm(hole: SegmentRun, need: WalNeed): Promise<SegmentRun[]> {
    const { context } = this.#facts;
    const behind = this.#spans.find(({ timeline, first }) => timeline === hole.timeline && first > hole.last);
    const isArriving = need.label === undefined && behind !== undefined &&
      context.clock.nowMs() - behind.firstStoredTime * 1000 < ARRIVING_MS;
    // All holes of a run share one wait.
    if (isArriving) this.#waitUntilMs ??= context.clock.monotonicMs() + ARRIVAL_WAIT_MS;
    for (;;) {
      const missing = missingIn(await this.#spansAround(hole), hole);
      const isOver = !isArriving || context.clock.monotonicMs() >= this.#waitUntilMs!;
      if (missing.length === 0 || isOver) return missing;
      await context.clock.sleep(ARRIVAL_LOOK_MS, context.signal);
    }
  }

  /** Lists the directories that a run touches again. */
  async #spansAround(run: SegmentRun): Promise<readonly SegmentSpan[]> {
    const { repository, context } = this.#facts;
    const { start, stop } = namesOfRun(run, this.#segmentBytes);
    const { directories } = await listArchiveId(repository, this.#root, context.signal);
    const builder = new SpanBuilder(this.#segmentBytes);
    for (const name of directories) {
      if (name < start.slice(0, 16) || name > stop.slice(0, 16)) continue;
      const { segments } = await listWalDirectory(repository, this.#root, name, context.signal);
      for (const { name, partial, storedTime } of segments) {
        if (!partial && isPossibleSegment(name, this.#segmentBytes)) builder.add(name, storedTime);
      }
    }
    return builder.spans;
  }

  /** Recovery cannot change to a timeline whose history is lost. */
  #checkHistoryFiles(from: string | undefined): void {
    if (from === undefined) return;
    const timelines = [...new Set(this.#spans.map(({ timeline }) => timeline))];
    const lowest = Math.min(...timelines);
    for (const timeline of timelines) {
      if (timeline === lowest || timeline < timelineOf(from) || this.#historyFiles.has(timeline)) continue;
      this.#add({
        kind: "missing",
        severity: "damage",
        path: `${this.#root}/${historyNameOf(timeline)}`,
        message: `timeline ${timeline} has WAL, and recovery cannot change to it without this file`,
      });
    }
  }
}
