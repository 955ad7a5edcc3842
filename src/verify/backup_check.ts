/** Every backup of a stanza: manifests, the files that they name, and what else lies beside them. */
import { mayHoldFiles } from "../../backends/contract.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { InfoFileReader } from "../format/info_file.ts";
import { isBackupLabel, parseLabel } from "../format/label.ts";
import type { Manifest } from "../format/manifest.ts";
import { usualFileKeyEnd } from "../format/manifest_codec.ts";
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type BackupDirectory, listBackupDirectories } from "../repository/backup_catalog.ts";
import { MANIFEST_BYTES_MAX, textPieces } from "../repository/info_bytes.ts";
import type { Repository } from "../repository/repository.ts";
import { gunzip } from "../stream/gunzip.ts";
import { BackupFiles } from "./backup_files.ts";
import { kindOf } from "./copies.ts";
import type { DamagedObjects } from "./damaged_objects.ts";
import { countInvalid, emptyTally, type Finding, type FindingKind } from "./finding.ts";
import { checkManifest } from "./manifest_check.ts";
import type { ObjectReader } from "./object_reader.ts";
import type { BackupReport } from "./report.ts";
import { isStoreFailure } from "../repository/store_failure.ts";
import { StoredSet } from "./stored_set.ts";

export interface BackupCheckFacts {
  readonly repository: Repository;
  readonly stanza: string;
  readonly backupInfo: BackupInfo;
  /** Only this backup, and what it refers to. */
  readonly set?: string;
  /** Absent: nothing is read but manifests. */
  readonly reader: ObjectReader | undefined;
  /** Whether the content of what this backup holds was read before. */
  readonly isKnown: (entry: BackupInfoEntry) => boolean;
  /** Whether this object is read. */
  readonly isChosen: () => boolean;
  readonly context: CommandContext;
  readonly add: (finding: Finding) => void;
  readonly damaged: DamagedObjects;
}

/** With more files than this in a full backup and what builds on it, the next one begins when all is read: memory holds the files of one. */
const FILES_BESIDE = 100_000;

/** What one backup holds, being read. */
interface Begun {
  readonly label: string;
  readonly files: BackupFiles;
  readonly count: number;
  readonly done: Promise<void>;
}

export class BackupCheck {
  readonly #facts: BackupCheckFacts;
  readonly #reports = new Map<string, BackupReport>();
  /** Files that are bad, by the backup that holds them, and name. */
  readonly badFiles = new Map<string, ReadonlyMap<string, FindingKind>>();
  /** Backups that need bad files, by the backup that holds these. */
  readonly affected = new Map<string, Set<string>>();

  constructor(facts: BackupCheckFacts) {
    this.#facts = facts;
  }

  /** Sorted by label. */
  get reports(): BackupReport[] {
    return [...this.#reports.values()].sort((a, b) => (a.label < b.label ? -1 : 1));
  }

  /**
   * Comes back when the last objects are being read. The large file at the end of one backup keeps one worker; the others go on with the next.
   * @returns `done` resolves when all is read and judged
   * @throws WalferryError of the store; `done` as well
   */
  async begin(): Promise<{ readonly done: Promise<void> }> {
    const { backupInfo, repository, set, stanza } = this.#facts;
    if (set === undefined) await this.#lookAround(await listBackupDirectories(repository, stanza));
    const sets = new Map<string, BackupInfoEntry[]>();
    for (const entry of backupInfo.backups) {
      const { full } = parseLabel(entry.label)!;
      if (set === undefined || entry.label === set) sets.set(full, [...(sets.get(full) ?? []), entry]);
    }
    let before: Promise<void> = Promise.resolve();
    for (const entries of sets.values()) {
      const { done } = await this.#beginSet(entries);
      // Whoever gave up waits for no other; what fails here is told there.
      done.catch(() => undefined);
      await before;
      before = done;
    }
    return { done: before };
  }

  /** What is not in `backup.info`. */
  async #lookAround(directories: readonly BackupDirectory[]): Promise<void> {
    const { backupInfo, repository, stanza, context, add } = this.#facts;
    const known = new Set(backupInfo.backups.map(({ label }) => label));
    const newest = directories.at(-1)?.label;
    for (const { label, complete, hasCopy } of directories) {
      if (known.has(label)) continue;
      const path = repository.backupPath(stanza, label);
      if (label === newest && hasCopy) {
        this.#reports.set(label, { label, status: "in-progress", tally: emptyTally(), read: 0 });
      } else if (complete) {
        const message = "the backup is complete but not in backup.info: restore does not find it";
        add({ kind: "orphan", severity: "notice", path, message, label });
      } else {
        const message = "the backup never became complete: a later backup or expire removes it";
        add({ kind: "unfinished", severity: "notice", path, message, label });
      }
    }
    const expected = new Set(["backup.info", "backup.info.copy", "backup.history", "latest"]);
    for await (
      const entry of repository.storage.list(repository.backupPath(stanza), { signal: context.signal })
    ) {
      const { name } = entry;
      if (expected.has(name) || (mayHoldFiles(entry) && isBackupLabel(name))) continue;
      const path = repository.backupPath(stanza, name);
      add({ kind: "stray", severity: "notice", path, message: "it does not belong here" });
    }
  }

  /** A full backup with those that build on it; as {@link begin}. */
  async #beginSet(entries: readonly BackupInfoEntry[]): Promise<{ readonly done: Promise<void> }> {
    const { context } = this.#facts;
    const stored = new StoredSet();
    const hardlinked = new Set<string>();
    const queue = [...entries];
    for (const entry of queue) {
      context.signal.throwIfAborted();
      queue.push(...await this.#takeManifest(entry, stored, hardlinked));
    }
    const begun: Begun[] = [];
    for (const holder of stored.holders) {
      const one = await this.#beginFiles(holder, stored, hardlinked.has(holder));
      one.done.catch(() => undefined);
      begun.push(one);
    }
    if (begun.reduce((sum, { count }) => sum + count, 0) > FILES_BESIDE) {
      await Promise.all(begun.map(({ done }) => done));
    }
    return { done: this.#finishSet(queue, begun) };
  }

  /**
   * Reads the manifest of one backup: what it holds and refers to. It does not outlive the call, since it may be large.
   * @returns other backups of which blocks are needed
   */
  async #takeManifest(
    entry: BackupInfoEntry,
    stored: StoredSet,
    hardlinked: Set<string>,
  ): Promise<readonly BackupInfoEntry[]> {
    const { repository, stanza, backupInfo, add, set } = this.#facts;
    const { label } = entry;
    const report: BackupReport = { label, status: "valid", tally: emptyTally(), read: 0 };
    this.#reports.set(label, report);
    const manifest = await checkManifest(repository, stanza, entry, backupInfo.cipherPass, add);
    if (manifest === undefined) {
      report.status = "manifest missing";
      return [];
    }
    report.tally.checked = manifest.files.length;
    if (manifest.options.hardlink) hardlinked.add(label);
    const path = repository.backupPath(stanza, label, "backup.manifest");
    for (const { name, holder, labels } of stored.add(manifest)) {
      const message = `the manifests of ${labels.join(" and ")} say different things of ${name} in ${holder}`;
      add({ kind: "mismatch", severity: "damage", path, message, label, disagreement: "files" });
    }
    const listed = new Set(backupInfo.backups.map((one) => one.label));
    for (const needed of new Set([...(manifest.references ?? []), ...(manifest.prior ? [manifest.prior] : [])])) {
      if (listed.has(needed)) continue;
      const message = `it refers to backup ${needed}, which is not in backup.info`;
      add({ kind: "mismatch", severity: "damage", path, message, label, disagreement: "references" });
    }
    return set === label && manifest.blockIncremental ? this.#holdersOfBlocks(manifest) : [];
  }

  /** Waits for what is still being read, and says whom it concerns. */
  async #finishSet(entries: readonly BackupInfoEntry[], begun: readonly Begun[]): Promise<void> {
    const bad = new Map<string, ReadonlyMap<string, FindingKind>>();
    for (const { label, files, done } of begun) {
      await done;
      const report = this.#reports.get(label);
      if (report !== undefined) report.read = files.read;
      if (files.bad.size === 0) continue;
      bad.set(label, files.bad);
      this.badFiles.set(label, files.bad);
    }
    if (bad.size > 0) await this.#attribute(entries, bad);
  }

  /** Blocks of a file may be in any backup that its backup refers to: which, only the file's own map tells. */
  #holdersOfBlocks({ label, references = [] }: Manifest): BackupInfoEntry[] {
    return this.#facts.backupInfo.backups.filter((entry) => entry.label !== label && references.includes(entry.label));
  }

  async #beginFiles(label: string, stored: StoredSet, hardlinked: boolean): Promise<Begun> {
    const { repository, stanza, context, add, damaged, reader, isChosen } = this.#facts;
    const held = stored.heldBy(label);
    const files = new BackupFiles({
      repository,
      directory: repository.backupPath(stanza, label),
      label,
      held,
      hardlinked,
      // With --set the manifest of the backup that holds it may not have been read: what it holds for others is not known.
      tellStrays: this.#facts.set === undefined,
      signal: context.signal,
      add,
      damaged,
    });
    await files.list();
    const entry = this.#facts.backupInfo.backups.find((one) => one.label === label);
    const isRead = reader !== undefined && !(entry !== undefined && this.#facts.isKnown(entry));
    const { done } = isRead
      ? await reader.begin(files.objects(isChosen), (...judged) => files.take(...judged))
      : { done: Promise.resolve() };
    return { label, files, count: held.length, done };
  }

  /** Which backups need the files that are bad. The manifests were not kept; this happens only when something is wrong. */
  async #attribute(
    entries: readonly BackupInfoEntry[],
    bad: ReadonlyMap<string, ReadonlyMap<string, FindingKind>>,
  ): Promise<void> {
    const { repository, stanza, backupInfo } = this.#facts;
    for (const { label } of entries) {
      const report = this.#reports.get(label)!;
      if (report.status === "manifest missing") continue;
      const manifest = await loadAgain(repository, stanza, label, backupInfo.cipherPass);
      for (const { name, reference, blockMapBytes } of manifest?.files ?? []) {
        const own = bad.get(reference ?? label)?.get(name);
        const holder = own !== undefined || blockMapBytes === undefined
          ? reference ?? label
          : badBlocks(name, manifest?.references, bad);
        const kind = holder === undefined ? undefined : bad.get(holder)?.get(name);
        if (holder === undefined || kind === undefined) continue;
        countInvalid(report.tally, kind);
        report.status = "invalid";
        const affected = this.affected.get(holder);
        if (affected === undefined) this.affected.set(holder, new Set([label]));
        else affected.add(label);
      }
    }
  }

  /** Manifests in `backup.history`. @throws WalferryError of the store */
  async checkHistory(): Promise<void> {
    const { repository, stanza, context, isChosen, add } = this.#facts;
    const root = repository.backupPath(stanza, "backup.history");
    for await (const { name, type } of repository.storage.list(root, { recurse: true, signal: context.signal })) {
      if (type === "path") continue;
      const label = /^\d{4}\/([^/]+)\.manifest\.gz$/.exec(name)?.[1];
      if (label === undefined || !isBackupLabel(label)) {
        add({ kind: "stray", severity: "notice", path: `${root}/${name}`, message: "it does not belong here" });
      } else if (isChosen()) await this.#checkHistoryManifest(`${root}/${name}`, label);
    }
  }

  async #checkHistoryManifest(path: string, label: string): Promise<void> {
    const { repository, backupInfo, add } = this.#facts;
    try {
      const stream = await repository.readWith(path, backupInfo.cipherPass);
      // Expired since it was listed.
      if (stream === undefined) return;
      let found: unknown;
      const reader = new InfoFileReader(({ section, key, value }) => {
        if (section === "backup" && key === "backup-label") found = value;
      }, usualFileKeyEnd);
      for await (const piece of textPieces(gunzip(stream), MANIFEST_BYTES_MAX)) {
        reader.push(piece);
      }
      reader.end();
      if (found !== label) throw new WalferryError("Format", "it is the manifest of another backup");
    } catch (thrown) {
      const error = toWalferryError(thrown);
      if (isStoreFailure(error)) throw error;
      const isListed = backupInfo.backups.some((entry) => entry.label === label);
      // It outlives its backup, and then nothing needs it: no repair could give it back.
      const message = `it cannot be used${isListed ? "" : ", and its backup is no longer there"}: ${error.message}`;
      add({ kind: kindOf(error), severity: isListed ? "damage" : "notice", path, message });
    }
  }

  /** Takes out backups that were expired while this ran. */
  forget(isGone: (label: string) => boolean): void {
    for (const label of this.#reports.keys()) if (isGone(label)) this.#reports.delete(label);
  }

  /** A finding about a backup makes it invalid. */
  settle(findings: readonly Finding[]): void {
    for (const { label, severity } of findings) {
      const report = label === undefined || severity === "notice" ? undefined : this.#reports.get(label);
      if (report?.status === "valid") report.status = "invalid";
    }
  }
}

/** `undefined`: it was expired since it was read. */
async function loadAgain(
  repository: Repository,
  stanza: string,
  label: string,
  passphrase: string | undefined,
): Promise<Manifest | undefined> {
  try {
    return await repository.loadManifest(stanza, label, passphrase);
  } catch (error) {
    if (isWalferryError(error, "FileMissing")) return undefined;
    throw error;
  }
}

/** A block incremental file takes what did not change from the files of its name in earlier backups: the first of these that is bad. */
function badBlocks(
  name: string,
  references: readonly string[] | undefined,
  bad: ReadonlyMap<string, ReadonlyMap<string, FindingKind>>,
): string | undefined {
  return references?.find((label) => bad.get(label)?.has(name));
}
