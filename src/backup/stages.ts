/** What a backup knows at each of its stages. The way from one to the next is in backup.ts. */
import type { ManifestFile } from "../format/manifest.ts";
import type { BackupStop } from "../postgres/backup_functions.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { RepositorySet } from "../repository/repository_set.ts";
import type { BackupFacts } from "./assemble.ts";
import type { HeldCopies } from "./held_copies.ts";
import type { Lineage } from "./lineage.ts";
import type { BackupOptions } from "./options.ts";
import type { Participant, Participants } from "./participants.ts";
import type { CopyList } from "./planner.ts";
import type { OnlineStart, SourceCluster } from "./start_stop.ts";
import type { StoredFiles } from "./stored_files.ts";

/** What a backup works on. */
export interface BackupRun {
  readonly options: BackupOptions;
  readonly repositories: RepositorySet;
  /** Archives for repositories that have none of their own. */
  readonly walSources: RepositorySet;
  readonly context: CommandContext;
  /** Hears how far the copy is, now and then. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** Cluster and repositories belong together. */
export interface Opened {
  readonly cluster: SourceCluster;
  readonly participants: Participants;
  /** By key of the repository. */
  readonly lineages: ReadonlyMap<number, Lineage>;
}

/** The server is in backup mode, unless nothing runs. */
export interface Started {
  /** Seconds since the epoch. */
  readonly timestampStart: number;
  readonly online: OnlineStart | undefined;
}

/** What is to be stored is known, and each repository has a directory for it. */
export interface Listed {
  /** By key of the repository. */
  readonly facts: ReadonlyMap<number, BackupFacts>;
  readonly copies: CopyList;
  /** By key of the repository. */
  readonly stored: ReadonlyMap<number, StoredFiles>;
  readonly held: HeldCopies;
}

export function storedIn({ stored }: Listed, { repository }: Participant): StoredFiles {
  return stored.get(repository.key)!;
}

export function factsOf({ facts }: Listed, { repository }: Participant): BackupFacts {
  return facts.get(repository.key)!;
}

/** The server has left backup mode. */
export interface Stopped {
  readonly timestampStop: number;
  readonly online: BackupStop | undefined;
  /** Files that the server gave, by repository. */
  readonly extra: ReadonlyMap<number, ManifestFile[]>;
}

/** Entries of the WAL that was copied into the backup, by repository. */
export type Archived = ReadonlyMap<number, ManifestFile[]>;
