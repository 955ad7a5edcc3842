/** Restores of the backups of a scene, without a server. */
import { RepositorySet } from "../../src/repository/repository_set.ts";
import type { RestoreOptions } from "../../src/restore/options.ts";
import { runRestore } from "../../src/restore/restore.ts";
import type { Scene } from "./backup_scene.ts";
import type { RecordingLog } from "./recording_log.ts";
import { STANZA, testContext } from "./stanza_files.ts";

/** Restores the newest backup of a scene to this path. Gives the log. @throws WalferryError as `runRestore` */
export async function restoreTo(
  scene: Scene,
  pgPath: string,
  options: Partial<RestoreOptions> = {},
): Promise<RecordingLog> {
  const context = testContext(scene.clock);
  await using repositories = await RepositorySet.open(scene.configs);
  const all: RestoreOptions = {
    stanza: STANZA,
    cluster: { key: 1, path: pgPath, port: 5432, database: "postgres" },
    repositories: scene.configs,
    set: "latest",
    type: "default",
    typeChosen: false,
    timeZone: undefined,
    targetAction: "pause",
    targetExclusive: false,
    archiveMode: "preserve",
    delta: false,
    force: false,
    dbInclude: [],
    dbExclude: [],
    linkAll: false,
    linkMap: new Map(),
    tablespaceMap: new Map(),
    recoveryOptions: new Map(),
    restoreCommand: "false",
    processMax: 1,
    bufferBytes: 1024 * 1024,
    lockPath: "/nonexistent",
    spoolPath: `${scene.base}/spool`,
    ...options,
  };
  await runRestore(all, repositories, context);
  return context.log;
}
