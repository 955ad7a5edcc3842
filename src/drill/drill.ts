/**
 * A drill: the restore that will be needed one day, done today on a copy. The steps are restore, recover, the checks that were asked for,
 * stop, page checksums; a step that fails hard ends the drill, a check that fails lets the others be made.
 *
 * A drill takes no lock: it must never keep anybody from restoring in earnest.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import { readControlFile } from "../postgres/control_file.ts";
import { findPrograms } from "../postgres/programs.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatSize } from "../report/units.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { chooseSet } from "../restore/choose_set.ts";
import { openSet } from "../restore/open_set.ts";
import type { RestoreOptions } from "../restore/options.ts";
import { autoConfText, recoverySettings } from "../restore/recovery_settings.ts";
import { runRestore } from "../restore/restore.ts";
import { checkArchiveEnd, followedTimeline } from "./archive_end.ts";
import { amcheckAll, askRecovered, type Drilled, dumpAll, hasPageChecksums, runQuery, verifyPages } from "./checks.ts";
import type { DrillOptions } from "./options.ts";
import type { DrillReport, DrillStepName } from "./report.ts";
import { makeScratch, type Scratch, warnOfLeftovers } from "./scratch.ts";
import { DrillServer } from "./server.ts";
import { HOST_BASED_AUTHENTICATION, programEnvironment, serverSettings } from "./server_settings.ts";
import { findSuperuser } from "./session.ts";
import { targetOf } from "./target.ts";
import { isThere } from "../process/local_file.ts";

/** First release with pg_amcheck. */
const AMCHECK_SINCE = 14;

/**
 * Drills. What goes wrong with the backup is in the report, as is what ended the drill before it was through.
 * @throws WalferryError `PathRemove` when the scratch directory could not be removed
 */
export async function runDrill(
  options: DrillOptions,
  set: RepositorySet,
  context: CommandContext,
): Promise<DrillReport> {
  const startMs = context.clock.monotonicMs();
  const report: DrillReport = {
    stanza: options.stanza,
    startMs: context.clock.nowMs(),
    target: { type: options.type, value: options.target },
    steps: [],
    durationMs: 0,
  };
  const drill = new Drill(options, set, report, context);
  const scratch = await drill.prepare().catch((error) => {
    report.error = toWalferryError(error);
    return undefined;
  });
  if (scratch !== undefined) {
    await using place = scratch;
    try {
      await drill.run(place);
    } catch (error) {
      report.error = toWalferryError(error);
    }
    if (options.keep) report.kept = place.path;
  }
  report.durationMs = context.clock.monotonicMs() - startMs;
  return report;
}

class Drill {
  readonly #options: DrillOptions;
  #set: RepositorySet;
  readonly #report: DrillReport;
  readonly #context: CommandContext;
  #manifest!: Manifest;
  #binPath = "";

  constructor(options: DrillOptions, set: RepositorySet, report: DrillReport, context: CommandContext) {
    this.#options = options;
    this.#set = set;
    this.#report = report;
    this.#context = context;
  }

  /** Everything that can be known before anything is written. */
  async prepare(): Promise<Scratch> {
    const { log, clock } = this.#context;
    const options = this.#options;
    const restoreOptions = this.#restoreOptions(options.set, undefined);
    const { repositories } = this.#set;
    const chosen = await chooseSet(repositories, restoreOptions, log);
    const { label, type, timestampStop, sizeBytes } = chosen.entry;
    // What cannot be opened was chosen all the same: whoever is told of the failure must know of which backup.
    this.#report.backup = {
      label,
      repositoryKey: chosen.repository.key,
      type,
      stopMs: timestampStop * 1000,
      sizeBytes,
    };
    const { repository, manifest } = await openSet(chosen, repositories, restoreOptions, log);
    this.#report.backup = { ...this.#report.backup, repositoryKey: repository.key };
    // The restore asks first where the backup could be opened, so that no failure is met and told twice.
    this.#set = RepositorySet.over([repository, ...repositories.filter((other) => other !== repository)]);
    this.#manifest = manifest;
    if (options.amcheck && Number(manifest.pgVersion) < AMCHECK_SINCE) {
      throw new WalferryError("OptionInvalid", `PostgreSQL ${manifest.pgVersion} has no pg_amcheck`, {
        hint: `leave out --amcheck; it came with release ${AMCHECK_SINCE}.`,
      });
    }
    const { binPath, version } = await findPrograms(
      manifest.pgVersion,
      this.#programs(),
      options.pgBin,
      options.environment["PATH"] ?? "",
    );
    this.#binPath = binPath;
    this.#report.postgres = version;
    const scratch = await makeScratch(options.drillPath, options, sizeBytes, options.keep, clock);
    try {
      await warnOfLeftovers(scratch, log);
      log.info(`drill backup ${manifest.label} of repo${repository.key} in '${scratch.path}'`);
      // Settings that cannot be are refused before hours of restoring.
      Deno.writeTextFileSync(
        `${scratch.path}/postgresql.conf`,
        serverSettings(scratch, options.settings, manifest.pgVersion),
      );
      Deno.writeTextFileSync(`${scratch.path}/pg_hba.conf`, HOST_BASED_AUTHENTICATION);
      Deno.writeTextFileSync(`${scratch.path}/pg_ident.conf`, "");
      return scratch;
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
  }

  #programs(): string[] {
    const { checksums, amcheck, dump } = this.#options;
    return [
      "postgres",
      ...(checksums ? ["pg_checksums"] : []),
      ...(amcheck ? ["pg_amcheck"] : []),
      ...(dump ? ["pg_dumpall", "pg_dump"] : []),
    ];
  }

  /** The steps. */
  async run(scratch: Scratch): Promise<void> {
    using space = scratch.watchSpace();
    const signal = AbortSignal.any([this.#context.signal, space.signal]);
    const context = { ...this.#context, signal };
    const { checksums, pgVersionForce } = this.#options;
    const environment = programEnvironment(this.#options.environment);

    await this.#step("restore", async () => {
      const options = this.#restoreOptions(this.#manifest.label, scratch);
      await runRestore(options, this.#set, context);
      takeOverSettings(scratch, options, context.clock.nowMs());
      return `${formatSize(this.#report.backup!.sizeBytes)}, ${this.#manifest.files.length} files`;
    });
    const drilled = await this.#whileRunning(scratch, environment, signal);
    if (!checksums) this.#skip("checksums", "not asked for");
    else if (!hasPageChecksums(scratch, pgVersionForce)) this.#skip("checksums", "the cluster has no page checksums");
    else await this.#check("checksums", () => verifyPages(drilled));
  }

  async #whileRunning(
    scratch: Scratch,
    environment: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Drilled> {
    const { dump, amcheck, queries, queryDatabase, dbTimeoutMs, pgUser } = this.#options;
    await using server = DrillServer.start(this.#binPath, scratch, environment, this.#context.clock);
    await this.#step("recover", async () => {
      await server.untilReady(signal);
      return this.#goal();
    });
    const superuser = await findSuperuser(scratch, pgUser, dbTimeoutMs, signal);
    const drilled: Drilled = { scratch, binPath: this.#binPath, superuser, environment, dbTimeoutMs, signal };
    this.#report.recovered = await askRecovered(drilled);
    await this.#archiveEnd(scratch);
    for (const query of queries) await this.#check("query", () => runQuery(query, queryDatabase, drilled));
    if (dump) await this.#check("dump", () => dumpAll(drilled));
    if (amcheck) await this.#check("amcheck", () => amcheckAll(drilled));
    await this.#step("stop", async () => {
      await server.stopCleanly(signal);
      return "";
    });
    return drilled;
  }

  /** Whether "to the end of the archive" was that. */
  async #archiveEnd(scratch: Scratch): Promise<void> {
    const { type, stanza, pgVersionForce } = this.#options;
    const lsn = this.#report.recovered?.lsn;
    if (type !== "default" || this.#isOffline() || lsn === undefined) return;
    const { pgVersion, systemId } = this.#manifest;
    const control = readControlFile(scratch.dataPath, pgVersionForce);
    const ended = {
      stanza,
      pgVersion,
      systemId,
      segmentBytes: control.walSegmentBytes,
      timeline: await followedTimeline(`${scratch.dataPath}/pg_wal`, control.timeline),
      lsn,
    };
    await this.#check("archive", () => checkArchiveEnd(this.#set.repositories, ended, this.#context));
  }

  /** What recovery went on to, in words. */
  #goal(): string {
    const { type } = this.#options;
    if (this.#isOffline()) return "an offline backup needs no recovery";
    if (type === "default") return "to the end of the archive";
    return type === "immediate" ? "to the end of the backup" : `to ${type} ${targetOf(this.#options)}`;
  }

  /** An offline backup is whole as it is. */
  #isOffline(): boolean {
    return !this.#options.typeChosen && !this.#manifest.options.online;
  }

  /** A step that must succeed; one that gives nothing could not be made. @throws what the action throws */
  async #step(name: DrillStepName, action: () => Promise<string | undefined>): Promise<void> {
    const { clock, log } = this.#context;
    const startMs = clock.monotonicMs();
    try {
      const detail = await action();
      if (detail === undefined) return this.#skip(name, "nothing could be asked");
      this.#report.steps.push({ name, outcome: "passed", durationMs: clock.monotonicMs() - startMs, detail });
      log.info(`${name} passed${detail === "" ? "" : `: ${detail}`}`);
    } catch (thrown) {
      const error = toWalferryError(thrown);
      const detail = error.text;
      this.#report.steps.push({ name, outcome: "failed", durationMs: clock.monotonicMs() - startMs, detail });
      throw error;
    }
  }

  /** A check whose failure is a result. @throws what the action throws when the drill is to end */
  async #check(name: DrillStepName, action: () => Promise<string | undefined>): Promise<void> {
    try {
      await this.#step(name, action);
    } catch (error) {
      const { kind, text } = toWalferryError(error);
      if (kind !== "DrillFailed" && kind !== "DbQuery" && kind !== "DbConnect" && kind !== "Execute") throw error;
      this.#context.log.warn(`${name} failed: ${text}`);
    }
  }

  #skip(name: DrillStepName, detail: string): void {
    this.#report.steps.push({ name, outcome: "skipped", durationMs: 0, detail });
  }

  /** A restore into the scratch directory: tablespaces below it, links as plain directories, nothing archived. */
  #restoreOptions(set: string, scratch: Scratch | undefined): RestoreOptions {
    const { type, typeChosen, restoreCommand } = this.#options;
    const dataPath = scratch?.dataPath ?? "";
    const spoolPath = scratch?.spoolPath ?? "";
    // By oid: a tablespace's name may hold anything, a way out of the directory included.
    const tablespaces = scratch === undefined
      ? []
      : this.#manifest.targets.flatMap(({ tablespaceId }) =>
        tablespaceId === undefined ? [] : [[tablespaceId, `${scratch.tablespacePath}/${tablespaceId}`] as const]
      );
    return {
      stanza: this.#options.stanza,
      cluster: { key: 1, path: dataPath, port: 0, database: "postgres" },
      repositories: this.#options.repositories,
      set,
      type,
      typeChosen,
      target: targetOf(this.#options),
      timeZone: this.#options.environment["TZ"],
      targetAction: "promote",
      targetExclusive: this.#options.targetExclusive,
      targetTimeline: this.#options.targetTimeline,
      archiveMode: "off",
      delta: false,
      force: false,
      dbInclude: [],
      dbExclude: [],
      linkAll: false,
      linkMap: new Map(),
      tablespaceMap: new Map(tablespaces),
      recoveryOptions: new Map(),
      restoreCommand: restoreCommand(dataPath, spoolPath),
      processMax: this.#options.processMax,
      bufferBytes: this.#options.bufferBytes,
      lockPath: this.#options.lockPath,
      spoolPath,
      pgVersionForce: this.#options.pgVersionForce,
    };
  }
}

/**
 * Settings that the real cluster was given by `alter system` must not reach the copy: only those of the recovery stay. What was restored is
 * left beside it, for whoever keeps the directory.
 */
function takeOverSettings(scratch: Scratch, options: RestoreOptions, nowMs: number): void {
  const path = `${scratch.dataPath}/postgresql.auto.conf`;
  const isRecovering = isThere(`${scratch.dataPath}/recovery.signal`);
  if (isThere(path)) Deno.renameSync(path, `${scratch.path}/postgresql.auto.conf.restored`);
  Deno.writeTextFileSync(path, autoConfText("", isRecovering ? recoverySettings(options) : [], nowMs), { mode: 0o600 });
  // A standby never ends its recovery.
  if (isThere(`${scratch.dataPath}/standby.signal`)) Deno.removeSync(`${scratch.dataPath}/standby.signal`);
}
