/** A stanza in a repository of plain files, made without a server; and what is needed to run a backup into it. */
import { PosixStorage } from "../../backends/posix.ts";
import type { Storage } from "../../backends/contract.ts";
import type { BackupOptions } from "../../src/backup/options.ts";
import { readControlFile } from "../../src/postgres/control_file.ts";
import type { Clock } from "../../src/process/clock.ts";
import type { CommandContext } from "../../src/process/command_context.ts";
import { silentProgress } from "../../src/report/progress.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { Repository } from "../../src/repository/repository.ts";
import { generateCipherPass } from "../../src/stream/cipher.ts";
import { BACKREST_VERSION } from "../../src/version.ts";
import { type RecordingLog, recordingLog } from "./recording_log.ts";

export const STANZA = "main";

/** Configuration of a repository in a directory. */
export function repositoryConfig(key: number, path: string, passphrase?: string): RepositoryConfig {
  return {
    key,
    storage: { type: "posix", path },
    cipher: passphrase === undefined ? { type: "none" } : { type: "aes-256-cbc", passphrase },
    retention: { fullType: "count", archiveType: "full", keep: {} },
    role: "all",
    symlink: true,
    hardlink: false,
  };
}

/** Writes the info files of a stanza for the cluster at this path. */
export async function makeStanza(config: RepositoryConfig, pgPath: string): Promise<void> {
  await using repository = await Repository.open(config);
  const control = readControlFile(pgPath);
  const cipherPass = () => (config.cipher.type === "none" ? undefined : generateCipherPass());
  const entry = { id: 1, pgVersion: control.pgVersion, systemId: control.systemId };
  await repository.saveArchiveInfo(STANZA, {
    backrestVersion: BACKREST_VERSION,
    currentId: 1,
    history: [entry],
    cipherPass: cipherPass(),
  });
  const { catalogVersion, controlVersion } = control;
  await repository.saveBackupInfo(STANZA, {
    backrestVersion: BACKREST_VERSION,
    currentId: 1,
    history: [{ ...entry, catalogVersion, controlVersion }],
    backups: [],
    cipherPass: cipherPass(),
  });
}

/** Options of an offline full backup. */
export function offlineBackupOptions(
  pgPath: string,
  repositories: readonly RepositoryConfig[],
  other: Partial<BackupOptions> = {},
): BackupOptions {
  return {
    stanza: STANZA,
    type: "full",
    clusters: [{ key: 1, path: pgPath, port: 5432, database: "postgres" }],
    backupStandby: "n",
    host: "here",
    repositories,
    walSources: repositories,
    repositoryChosen: true,
    configuredRepositories: repositories.length,
    compress: { type: "none" },
    online: false,
    force: false,
    startFast: true,
    archiveCheck: false,
    archiveCopy: false,
    archiveModeCheck: true,
    archiveTimeoutMs: 60_000,
    pageHeaderCheck: true,
    exclude: [],
    delta: false,
    walSummary: false,
    resume: true,
    manifestSaveBytes: 1024 * 1024 * 1024,
    annotations: new Map(),
    processMax: 2,
    bufferBytes: 1024 * 1024,
    expireAuto: false,
    dbTimeoutMs: 1_800_000,
    lockPath: "/nonexistent",
    spoolPath: `${pgPath}-spool`,
    ...other,
  };
}

/** A clock on which every look is five seconds later and nobody has to wait. */
export function hurryingClock(startSeconds = 1_795_220_213): Clock {
  let nowMs = startSeconds * 1000;
  return {
    nowMs: () => (nowMs += 5000),
    monotonicMs: () => performance.now(),
    sleep: (_ms, signal) => signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve(),
  };
}

export function testContext(
  clock: Clock,
  signal = new AbortController().signal,
): CommandContext & { readonly log: RecordingLog } {
  return { log: recordingLog(), clock, progress: silentProgress, signal, output: () => {}, execId: "1-00000000" };
}

/** Writes and removals by which a crash can be told: each is one step. */
export type CrashStep = "write" | "symlink" | "removeTree";

/**
 * A repository whose process dies at its n-th step: that step and everything after it fails and changes nothing.
 *
 * @param onStep hears of each step with its path, before it is done
 */
export function dyingRepository(
  config: RepositoryConfig,
  stepsLeft: number,
  onStep: (step: string) => void,
): Repository {
  if (config.storage.type !== "posix") throw new Error("only repositories of files can die here");
  const storage = new PosixStorage(config.storage);
  let left = stepsLeft;
  const dying = new Proxy<Storage>(storage, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const isStep = name === "write" || name === "symlink" || name === "removeTree";
      return (...args: unknown[]) => {
        if (isStep) {
          onStep(`${name} ${args[0]}`);
          left -= 1;
        }
        if (left < 0) return Promise.reject(new Error("the process died"));
        return Reflect.apply(value, target, args);
      };
    },
  });
  return Repository.over(config, dying);
}
