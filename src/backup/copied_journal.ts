/**
 * What a running backup has stored, noted on this host file by file: `<spool-path>/walferry/<stanza>/resume/repoN`. The copy of the manifest
 * says the same, but it is written whole each time, so that it can be saved only now and then; a line here costs nothing. It goes on where the
 * copy ends: the first line names the run that wrote both, and lines of any other run are not believed.
 *
 * Format: each line is a CRC-32C (eight hexadecimal digits) of what follows a space, which is JSON: first the run, then one file per line.
 * Nothing in it is secret: names, sizes, times and checksums of files that lie on this host anyway. Files are in a repository before they are
 * listed here, and whoever believes a line looks at the stored bytes first.
 */
import type { ManifestFile, PageRange } from "../format/manifest.ts";
import { SpoolDirectory } from "../repository/spool_files.ts";
import { crc32c } from "../stream/crc32c.ts";

/** Changes when older programs must not read it. */
const FORMAT = 1;

/** Pause between two syncs: what a crash of the host, other than one of the program, may cost. Milliseconds. */
const SYNC_EVERY_MS = 5_000;

/** Bytes that are read at once. */
const READ_BYTES = 1024 * 1024;

/** A line longer than this is none. */
const LINE_BYTES_MAX = 1024 * 1024;

/** The run that stores the files: that of the copy of the manifest in the same repository. */
export interface JournalRun {
  readonly repository: string;
  readonly label: string;
  readonly systemId: bigint;
  /** Seconds since the epoch. */
  readonly timestampStart: number;
  readonly timestampCopyStart: number;
}

/** The places of the journals of one stanza on this host. */
export class CopiedJournals {
  readonly #directory: SpoolDirectory;

  constructor(spoolPath: string, stanza: string) {
    this.#directory = new SpoolDirectory(spoolPath, stanza, "resume");
  }

  /** Begins the journal of a run; whatever another run left under this key is gone. @throws WalferryError `PathOpen`; Deno's own errors */
  async begin(key: number, run: JournalRun, monotonicMs: () => number): Promise<JournalWriter> {
    await this.#directory.removeUnfinished(nameOf(key));
    this.#directory.write(nameOf(key), line(JSON.stringify(headOf(run))));
    return new JournalWriter(`${this.#directory.path}/${nameOf(key)}`, monotonicMs);
  }

  /**
   * What a run noted, the later word on a file behind the earlier one. Lines that are damaged or cut short are passed over.
   *
   * @param defaults owner and mode for the entries, which the journal does not know
   * @returns nothing when there is no journal, or one of another run
   * @throws Deno's own errors
   */
  *read(
    key: number,
    run: JournalRun,
    defaults: Pick<ManifestFile, "mode" | "user" | "group">,
  ): Generator<ManifestFile> {
    const lines = linesOf(`${this.#directory.path}/${nameOf(key)}`);
    try {
      const head = lines.next();
      if (head.done || head.value !== JSON.stringify(headOf(run))) return;
      for (const text of lines) {
        const file = text === undefined ? undefined : parseFile(text, defaults);
        if (file !== undefined) yield file;
      }
    } finally {
      lines.return();
    }
  }

  /** Forgets what a run noted. Absent is no error. @throws WalferryError `FileRemove` */
  remove(key: number): void {
    this.#directory.remove(nameOf(key));
  }
}

function nameOf(key: number): string {
  return `repo${key}`;
}

/** The journal of a run that goes on. Disposing closes it and leaves it where it is. */
export class JournalWriter implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #monotonicMs: () => number;
  #lines: string[] = [];
  #syncedMs: number;
  #syncing: Promise<void> | undefined;

  constructor(path: string, monotonicMs: () => number) {
    this.#file = Deno.openSync(path, { append: true });
    this.#monotonicMs = monotonicMs;
    this.#syncedMs = monotonicMs();
  }

  /** Takes note of a file that is stored, or found in an earlier backup. */
  add(file: ManifestFile): void {
    this.#lines.push(line(JSON.stringify(valuesOf(file))));
  }

  /** Writes what was noted, so that it survives the end of the program, and now and then the end of the host. @throws Deno's own errors */
  async flush(): Promise<void> {
    if (this.#lines.length > 0) {
      const bytes = new TextEncoder().encode(this.#lines.join(""));
      this.#lines = [];
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    }
    const nowMs = this.#monotonicMs();
    if (this.#syncing !== undefined || nowMs - this.#syncedMs < SYNC_EVERY_MS) return;
    this.#syncedMs = nowMs;
    this.#syncing = this.#file.syncData();
    try {
      await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function headOf({ repository, label, systemId, timestampStart, timestampCopyStart }: JournalRun) {
  return { format: FORMAT, repository, label, systemId: `${systemId}`, timestampStart, timestampCopyStart };
}

/** What the manifest says of a file, without owner and mode, which are what they are when the backup is gone on with. */
function valuesOf({ mode: _mode, user: _user, group: _group, ...values }: ManifestFile) {
  return values;
}

function line(json: string): string {
  return `${checksumOf(json)} ${json}\n`;
}

function checksumOf(json: string): string {
  return crc32c(new TextEncoder().encode(json)).toString(16).padStart(8, "0");
}

/** What the lines say; `undefined` for one whose checksum is another. The last one counts only with its end. */
function* linesOf(path: string): Generator<string | undefined, void> {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw error;
  }
  using opened = file;
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(READ_BYTES);
  let rest = "";
  for (let count = opened.readSync(buffer); count !== null; count = opened.readSync(buffer)) {
    const parts = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const json = part.slice(9);
      yield part.slice(0, 9) === `${checksumOf(json)} ` ? json : undefined;
    }
    // No program wrote this: a line without an end must not fill the memory.
    if (rest.length > LINE_BYTES_MAX) return;
  }
}

/** A line that somebody else wrote is no file. */
function parseFile(
  json: string,
  defaults: Pick<ManifestFile, "mode" | "user" | "group">,
): ManifestFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const values = value as Record<string, unknown>;
  const { name, sizeBytes, timestamp, repoSizeBytes, checksum, repoChecksum, reference, checksumPage } = values;
  if (typeof name !== "string" || !isCount(sizeBytes) || !isCount(timestamp) || !isCount(repoSizeBytes)) {
    return undefined;
  }
  if (!isAbsentOr(isSha1, checksum, repoChecksum) || !isAbsentOr(isText, reference)) return undefined;
  const { bundleId, bundleOffset, blockSizeBytes, blockChecksumBytes, blockMapBytes, sizeOriginalBytes } = values;
  const counts = [bundleId, bundleOffset, blockSizeBytes, blockChecksumBytes, blockMapBytes, sizeOriginalBytes];
  if (!isAbsentOr(isCount, ...counts)) return undefined;
  if (checksumPage !== undefined && typeof checksumPage !== "boolean") return undefined;
  if (!isAbsentOr(isRanges, values.checksumPageErrors)) return undefined;
  return {
    name,
    sizeBytes,
    timestamp,
    repoSizeBytes,
    checksum: checksum as string | undefined,
    repoChecksum: repoChecksum as string | undefined,
    reference: reference as string | undefined,
    bundleId: bundleId as number | undefined,
    bundleOffset: bundleOffset as number | undefined,
    blockSizeBytes: blockSizeBytes as number | undefined,
    blockChecksumBytes: blockChecksumBytes as number | undefined,
    blockMapBytes: blockMapBytes as number | undefined,
    sizeOriginalBytes: sizeOriginalBytes as number | undefined,
    checksumPage,
    checksumPageErrors: values.checksumPageErrors as PageRange[] | undefined,
    ...defaults,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isSha1(value: unknown): value is string {
  return isText(value) && /^[0-9a-f]{40}$/.test(value);
}

function isRanges(value: unknown): value is PageRange[] {
  return Array.isArray(value) &&
    value.every((range) => Array.isArray(range) && range.length === 2 && range.every(isCount));
}

function isAbsentOr<T>(is: (value: unknown) => value is T, ...values: unknown[]): boolean {
  return values.every((value) => value === undefined || is(value));
}
