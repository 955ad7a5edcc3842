/** `repo-gc`: aborts uploads that a crash left unfinished. They are invisible, and most object stores bill them for ever. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { RepoGcOptions } from "../repository/options.ts";
import { describeFailure, RepositorySet } from "../repository/repository_set.ts";
import type { Repository } from "../repository/repository.ts";

/** Goes through every repository; one that fails does not stop the others. @throws WalferryError `Command` with what failed */
export async function repoGc(options: RepoGcOptions, context: CommandContext): Promise<number> {
  await using set = await RepositorySet.open(options.repositories);
  const outcomes = await set.ask((repository) => collectGarbage(repository, options, context));
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
  if (failures.length === 0) return 0;
  if (failures.length === 1) {
    const { key, error } = failures[0]!;
    throw new WalferryError(error.kind, `repo${key}: ${error.message}`, { hint: error.hint, cause: error });
  }
  throw new WalferryError("Command", failures.map(describeFailure).join("\n"));
}

async function collectGarbage(repository: Repository, options: RepoGcOptions, context: CommandContext): Promise<void> {
  const { log, signal, clock } = context;
  const { unfinishedUploads } = repository.storage;
  if (unfinishedUploads === undefined) {
    log.info(`${repository.name}: nothing to do: a ${repository.storage.type} repository keeps no unfinished uploads`);
    return;
  }
  const latestStart = (clock.nowMs() - options.olderThanMs) / 1000;
  let [aborted, younger, undated] = [0, 0, 0];
  for await (const upload of unfinishedUploads.list(signal)) {
    if (upload.startTime === undefined) {
      // It may be that of a backup that runs.
      undated++;
      continue;
    }
    if (upload.startTime > latestStart) {
      younger++;
      continue;
    }
    const since = new Date(upload.startTime * 1000).toISOString();
    log.info(
      `${repository.name}: ${
        options.dryRun ? "would abort" : "abort"
      } the upload of '${upload.path}' that began at ${since}`,
    );
    if (!options.dryRun) await unfinishedUploads.abort(upload, signal);
    aborted++;
  }
  log.info(
    `${repository.name}: ${aborted} unfinished upload${aborted === 1 ? "" : "s"} ${
      options.dryRun ? "found" : "aborted"
    }` +
      (younger === 0 ? "" : `, ${younger} younger left alone`) +
      (undated === 0 ? "" : `, ${undated} left alone whose age the store does not tell`),
  );
}
