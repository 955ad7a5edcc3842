/** Options of the commands that PostgreSQL runs, as typed values. */
import type {
  ArchiveGetAsyncOptions,
  ArchiveGetOptions,
  ArchivePushAsyncOptions,
  ArchivePushOptions,
  PushServiceOptions,
} from "../archive/options.ts";
import { WalferryError } from "../errors.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import type { Configuration } from "./configuration.ts";
import { cluster, compressSetting, noRepositoryFor, repositories, stanzaOf } from "./typed_repositories.ts";

/** Options of archive-push. */
export function archivePushOptions(config: Configuration, parameters: readonly string[]): ArchivePushOptions {
  const chosen = repositories(config).filter(({ role }) => role !== "backup");
  if (chosen.length === 0) throw noRepositoryFor("archive-push", "backup");
  return {
    stanza: stanzaOf(config),
    walPath: parameters[0]!,
    cluster: config.option("pg-path", 1) === undefined ? undefined : cluster(config, 1),
    repositories: chosen,
    quorum: quorumOf(config.string("archive-push-quorum"), chosen.length),
    spoolPath: config.string("spool-path"),
    compress: compressSetting(config),
    headerCheck: config.boolean("archive-header-check"),
    modeCheck: config.boolean("archive-check") && config.boolean("archive-mode-check"),
    queueMaxBytes: config.optionalNumber("archive-push-queue-max"),
    timeoutMs: config.number("archive-timeout"),
    lockPath: config.string("lock-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of archive-push with archive-async=y. */
export function archivePushAsyncOptions(
  config: Configuration,
  parameters: readonly string[],
): ArchivePushAsyncOptions {
  return {
    ...archivePushOptions(config, parameters),
    cluster: cluster(config, 1),
  };
}

/** `archive-push-quorum` as a number of repositories. */
function quorumOf(text: string, count: number): number {
  if (text === "all") return count;
  if (text === "majority") return Math.floor(count / 2) + 1;
  const number = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > count) {
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'archive-push-quorum' option`, {
      hint: `it is all, majority, or the number of repositories that must hold a WAL file: 1 to ${count}.`,
    });
  }
  return number;
}

/** Options of the background process that archive-push starts. */
export function pushServiceOptions(config: Configuration, parameters: readonly string[]): PushServiceOptions {
  return {
    ...archivePushAsyncOptions(config, parameters),
    processMax: config.number("process-max"),
    lingerMs: config.number("archive-async-linger"),
    pushes: config.boolean("archive-async"),
  };
}

/** The server to set something in. */
export function serverOptions(config: Configuration): { cluster: ClusterConfig; dbTimeoutMs: number } {
  return { cluster: cluster(config, 1), dbTimeoutMs: config.number("db-timeout") };
}

/** Options of archive-get. */
export function archiveGetOptions(config: Configuration, parameters: readonly string[]): ArchiveGetOptions {
  const chosen = repositories(config).filter(({ role }) => role !== "backup");
  if (chosen.length === 0) throw noRepositoryFor("archive-get", "backup");
  return {
    stanza: stanzaOf(config),
    walName: parameters[0]!,
    destination: parameters[1]!,
    cluster: cluster(config, 1),
    repositories: chosen,
    timeoutMs: config.number("archive-timeout"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of archive-get with archive-async=y, and of the background process that it starts. */
export function archiveGetAsyncOptions(config: Configuration, parameters: readonly string[]): ArchiveGetAsyncOptions {
  return {
    ...archiveGetOptions(config, parameters),
    queueMaxBytes: config.number("archive-get-queue-max"),
    lingerMs: config.number("archive-async-linger"),
    processMax: config.number("process-max"),
  };
}
