/** `manifest` */
import { WalferryError } from "../errors.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import { renderManifestJson, renderManifestText } from "../repository/manifest_report.ts";
import type { ManifestOptions } from "../repository/options.ts";
import { noValidRepository, RepositorySet } from "../repository/repository_set.ts";
import { outputGathered } from "./output_gathered.ts";

/** Shows the manifest of a backup: of the first repository that lists it, or the newest backup of the first that has one. */
export async function manifest(options: ManifestOptions, context: CommandContext): Promise<number> {
  const found = await findManifest(options, context);
  const { filter } = options;
  // As pgBackRest calls what the backup itself holds.
  const reference = options.reference === "latest" ? found.label : options.reference;
  const isShown = (file: ManifestFile) =>
    (filter === undefined || filter.test(file.name)) &&
    (reference === undefined || (file.reference ?? found.label) === reference);
  const render = options.output === "json" ? renderManifestJson : renderManifestText;
  await outputGathered(render(found, isShown), context);
  return 0;
}

async function findManifest(
  { repositories, stanza, set }: ManifestOptions,
  { log }: CommandContext,
): Promise<Manifest> {
  await using all = await RepositorySet.open(repositories);
  const outcomes = await all.ask(async (repository) => ({ repository, info: await repository.loadBackupInfo(stanza) }));
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
  if (failures.length === outcomes.length) {
    throw failures.length === 1 ? failures[0]!.error : noValidRepository(failures);
  }
  for (const { key, error } of failures) log.warn(`repo${key}: [${error.name}] ${error.text}`);
  for (const outcome of outcomes) {
    if (!outcome.ok) continue;
    const { repository, info } = outcome.value;
    const label = set === "latest" ? info.backups.at(-1)?.label : set;
    if (label === undefined || !info.backups.some((entry) => entry.label === label)) continue;
    return await repository.loadManifest(stanza, label, info.cipherPass);
  }
  throw new WalferryError(
    "BackupSetInvalid",
    set === "latest" ? `no backup sets of stanza '${stanza}' found` : `backup set ${set} is not valid`,
    { hint: "walferry info lists the backups." },
  );
}
