/**
 * Whether a repository holds what a restore could need, whole and undamaged. States: info files; WAL is listed; backups (manifests, lists,
 * contents); contents of WAL; what is needed against what is there, with `backup.info` as it is then, because a backup, an expire or the
 * archiver may have been at work all the time.
 */
import { mayHoldFiles } from "../../backends/contract.ts";
import { WalferryError } from "../errors.ts";
import { type ArchiveInfo, currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { isBackupLabel } from "../format/label.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";
import { archiveIdOf } from "../repository/wal_archive.ts";
import { ArchiveCheck } from "./archive_check.ts";
import { BackupCheck } from "./backup_check.ts";
import { DamagedObjects } from "./damaged_objects.ts";
import { type Finding, FindingList } from "./finding.ts";
import { ObjectReader } from "./object_reader.ts";
import type { VerifySettings } from "./options.ts";
import type { VerifyReport } from "./report.ts";
import { loadRecord, saveRecord, VerifiedRecord } from "../repository/verified_record.ts";
import { assertStanza, checkInfos, loadHoldingBackupInfo } from "./stanza_infos.ts";

const ARCHIVE_ID = /^\d{1,3}(?:\.\d{1,3})?-\d{1,9}$/;

/**
 * Looks at one stanza in one repository; nothing is changed.
 * @throws WalferryError `BackupSetInvalid`; of the store, which then says nothing about what it holds
 */
export async function verifyRepository(
  repository: Repository,
  options: VerifySettings,
  context: CommandContext,
): Promise<VerifyReport> {
  return await new Verification(repository, options, context).run();
}

class Verification {
  readonly #repository: Repository;
  readonly #options: VerifySettings;
  readonly #context: CommandContext;
  readonly #findings = new FindingList();
  readonly #damaged = new DamagedObjects();
  /** What need not be read again. */
  #record = new VerifiedRecord();
  readonly #add = (finding: Finding) => this.#findings.add(finding);

  constructor(repository: Repository, options: VerifySettings, context: CommandContext) {
    this.#repository = repository;
    this.#options = options;
    this.#context = context;
  }

  async run(): Promise<VerifyReport> {
    const { stanza, mode, set, depth } = this.#options;
    const { archiveInfo, backupInfo } = await checkInfos(this.#repository, stanza, this.#add);
    if (archiveInfo === undefined && backupInfo === undefined) await assertStanza(this.#repository, stanza);
    this.#assertSet(backupInfo);
    if (mode.kind === "since-last") this.#record = await loadRecord(this.#repository, stanza, this.#context);
    const archives = await this.#listArchives(archiveInfo);
    const reader = mode.kind === "quick"
      ? undefined
      : new ObjectReader(this.#repository.config, depth, this.#options.processMax, this.#context);
    await using _reader = reader;
    const backups = backupInfo === undefined ? undefined : new BackupCheck({
      repository: this.#repository,
      stanza,
      backupInfo,
      set,
      reader,
      isKnown: ({ label, timestampStop }) => this.#record.hasBackup(label, timestampStop, depth === "content"),
      isChosen: this.#isChosen,
      context: this.#context,
      add: this.#add,
      damaged: this.#damaged,
    });
    this.#context.progress.start("verify", this.#expectedBytes(archives, backupInfo));
    try {
      const begun = await backups?.begin();
      begun?.done.catch(() => undefined);
      if (reader !== undefined) {
        if (set === undefined) await backups?.checkHistory();
        await this.#readArchives(archives, reader, archiveInfo, backupInfo);
      }
      await begun?.done;
    } finally {
      this.#context.progress.stop();
    }
    await this.#settle(archives, backups, backupInfo);
    this.#findings.sort();
    if (mode.kind === "since-last") await this.#keepRecord(archiveInfo, archives, backups);
    return {
      stanza,
      repositoryKey: this.#repository.key,
      systemId: archiveInfo === undefined
        ? backupInfo && currentHistoryEntry(backupInfo).systemId
        : currentHistoryEntry(archiveInfo).systemId,
      mode,
      archives: archives.map(({ report }) => report),
      backups: backups?.reports ?? [],
      findings: this.#findings,
      damaged: this.#damaged,
      badFiles: backups?.badFiles ?? new Map(),
      affected: backups?.affected ?? new Map(),
    };
  }

  readonly #isChosen = (): boolean => {
    const { mode } = this.#options;
    return mode.kind !== "sample" || Math.random() * 100 < mode.percent;
  };

  #assertSet(backupInfo: BackupInfo | undefined): void {
    const { set } = this.#options;
    if (set === undefined || backupInfo === undefined) return;
    if (!isBackupLabel(set)) {
      throw new WalferryError("OptionInvalidValue", `'${set}' is not a valid backup label format`);
    }
    if (backupInfo.backups.some(({ label }) => label === set)) return;
    throw new WalferryError("BackupSetInvalid", `backup set ${set} is not valid`, {
      hint: "walferry info lists the backups.",
    });
  }

  /** Archive ids of the history, and those that only lie there. */
  async #listArchives(archiveInfo: ArchiveInfo | undefined): Promise<ArchiveCheck[]> {
    const { stanza, mode, set } = this.#options;
    const { signal } = this.#context;
    const root = this.#repository.archivePath(stanza);
    const found: string[] = [];
    for await (const entry of this.#repository.storage.list(root, { signal })) {
      const { name } = entry;
      if (mayHoldFiles(entry) && ARCHIVE_ID.test(name)) found.push(name);
      else if (name !== "archive.info" && name !== "archive.info.copy") {
        this.#add({ kind: "stray", severity: "notice", path: `${root}/${name}`, message: "it does not belong here" });
      }
    }
    const known = new Map(archiveInfo?.history.map((entry) => [archiveIdOf(entry), entry]));
    // One that has no WAL at all is looked at too: a backup may need some.
    const all = [...new Set([...known.keys(), ...found])].sort();
    const checks: ArchiveCheck[] = [];
    for (const archiveId of all) {
      const entry = known.get(archiveId);
      if (archiveInfo !== undefined && entry === undefined) {
        const message = "archive.info does not know this archive id";
        this.#add({ kind: "orphan", severity: "notice", path: `${root}/${archiveId}`, message, archiveId });
      }
      const check = new ArchiveCheck({
        repository: this.#repository,
        stanza,
        archiveId,
        systemId: entry?.systemId,
        historyId: entry?.id ?? (archiveInfo === undefined ? Number(archiveId.split("-")[1]) : undefined),
        isCurrent: archiveInfo !== undefined && entry?.id === currentHistoryEntry(archiveInfo).id,
        cipherPass: archiveInfo?.cipherPass,
        isReadable: archiveInfo !== undefined || this.#repository.infoPassphrase === undefined,
        context: this.#context,
        add: this.#add,
        damaged: this.#damaged,
      });
      await check.list(mode.kind !== "quick" && set === undefined);
      checks.push(check);
    }
    return checks;
  }

  #expectedBytes(archives: readonly ArchiveCheck[], backupInfo: BackupInfo | undefined): number {
    const { mode, set } = this.#options;
    if (mode.kind === "quick") return 0;
    const backups = backupInfo?.backups ?? [];
    const bytes = set === undefined
      ? archives.reduce((sum, { storedBytes }) => sum + storedBytes, 0) +
        backups.reduce((sum, { repoSizeDeltaBytes }) => sum + repoSizeDeltaBytes, 0)
      : backups.find(({ label }) => label === set)?.repoSizeBytes ?? 0;
    return mode.kind === "sample" ? Math.round((bytes * mode.percent) / 100) : bytes;
  }

  async #readArchives(
    archives: readonly ArchiveCheck[],
    reader: ObjectReader,
    archiveInfo: ArchiveInfo | undefined,
    backupInfo: BackupInfo | undefined,
  ): Promise<void> {
    const { set } = this.#options;
    const entry = backupInfo?.backups.find(({ label }) => label === set);
    const { archiveStart: start, archiveStop: stop = start } = entry ?? {};
    const isWanted = (segment: string) =>
      set === undefined || (start !== undefined && segment >= start && segment <= stop!);
    for (const check of archives) {
      const { id } = check.report;
      const known = this.#record.walOf(id, systemIdOf(archiveInfo, id));
      await reader.readAll(check.objects(this.#isChosen, isWanted, known), (...judged) => check.take(...judged));
    }
  }

  /** Only what is sound is remembered: what is damaged is read again, and told again, until it is put right. */
  async #keepRecord(
    archiveInfo: ArchiveInfo | undefined,
    archives: readonly ArchiveCheck[],
    backups: BackupCheck | undefined,
  ): Promise<void> {
    const { stanza, depth } = this.#options;
    const listed = backups === undefined ? [] : (await loadHoldingBackupInfo(this.#repository, stanza)).backups;
    const valid = new Set(backups?.reports.filter(({ status }) => status === "valid").map(({ label }) => label));
    const record = new VerifiedRecord(
      new Map(listed.flatMap(({ label, timestampStop }) => {
        if (!valid.has(label)) return [];
        const isDeep = depth === "content" || this.#record.hasBackup(label, timestampStop, true);
        return [[label, { timestampStop, isDeep }]];
      })),
      new Map(archives.flatMap((check) => {
        const systemId = systemIdOf(archiveInfo, check.report.id);
        if (!check.isReadable || systemId === undefined) return [];
        return [[check.report.id, { systemId, ...check.verifiedRuns() }]];
      })),
    );
    await saveRecord(this.#repository, stanza, record);
  }

  /** The world may have moved on: what was expired meanwhile is not missing, and what was not there yet may be now. */
  async #settle(
    archives: readonly ArchiveCheck[],
    backups: BackupCheck | undefined,
    before: BackupInfo | undefined,
  ): Promise<void> {
    if (before === undefined || backups === undefined) return;
    const now = await loadHoldingBackupInfo(this.#repository, this.#options.stanza);
    const left = new Set(now.backups.map(({ label }) => label));
    const expired = new Set(before.backups.map(({ label }) => label).filter((label) => !left.has(label)));
    if (expired.size > 0) {
      this.#context.log.info(`expired meanwhile: ${[...expired].join(", ")}`);
      this.#findings.drop(({ label }) => label !== undefined && expired.has(label));
      backups.forget((label) => expired.has(label));
    }
    for (const check of archives) await check.checkNeeds(now, this.#options.set);
    backups.settle(this.#findings.kept);
  }
}

/** The cluster whose WAL an archive id holds; `undefined` when the stanza knows no such archive id. */
function systemIdOf(archiveInfo: ArchiveInfo | undefined, archiveId: string): bigint | undefined {
  return archiveInfo?.history.find((entry) => archiveIdOf(entry) === archiveId)?.systemId;
}
