/** From a command's name to its function, with its options made. Only the module of the command that runs is loaded. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { CommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import type { Invocation } from "./load_configuration.ts";
import * as typed from "./typed_options.ts";

/** Runs the command; gives its exit code. */
export async function dispatch(
  config: Configuration,
  commandLine: CommandLine,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const { parameters } = commandLine;
  switch (config.command) {
    case "annotate":
      return await (await import("../commands/annotate.ts")).annotate(typed.annotateOptions(config), context);
    case "pin":
    case "unpin":
      return await (await import("../commands/pin.ts")).pin(typed.pinOptions(config), context);
    case "archive-command":
      return await serverSetting("archive_command", config, invocation, context);
    case "archive-get":
      return await archiveGet(config, commandLine, invocation, context);
    case "archive-push":
      return await archivePush(config, commandLine, invocation, context);
    case "backup":
      warnOfRetention(config, context);
      return await (await import("../commands/backup.ts")).backup(
        typed.backupOptions(config),
        typed.expireOptions(config),
        context,
      );
    case "check":
      return await (await import("./check_stanzas.ts")).checkStanzas(config, invocation, context);
    case "completion":
      return await (await import("./completion.ts")).completion(parameters[0]!, context);
    case "config-check":
      return await (await import("./config_check.ts")).configCheck(config, parameters[0], invocation, context);
    case "demo":
      return await (await import("../commands/demo.ts")).demo({
        keep: config.boolean("keep"),
        pgBin: config.optionalString("pg-bin"),
        searchPath: invocation.environment["PATH"] ?? "",
      }, context);
    case "drill": {
      const { drillRestoreCommandText } = await import("./restore_command.ts");
      return await (await import("../commands/drill.ts")).drill(
        typed.drillOptions(
          config,
          invocation.environment,
          (dataPath, spoolPath) => drillRestoreCommandText(config, dataPath, spoolPath),
        ),
        context,
      );
    }
    case "expire":
      warnOfRetention(config, context);
      return await (await import("../commands/expire.ts")).expire(typed.expireOptions(config), context);
    case "help":
      return await (await import("./help.ts")).help(parameters, invocation.invokedName, context);
    case "info":
      return await (await import("../commands/info.ts")).info(typed.infoOptions(config), context);
    case "manifest":
      return await (await import("../commands/manifest.ts")).manifest(typed.manifestOptions(config), context);
    case "metrics": {
      const { metricsOptions } = await import("./metrics_scopes.ts");
      return await (await import("../commands/metrics.ts")).metrics(
        await metricsOptions(config, invocation, context),
        context,
      );
    }
    case "rekey":
      return await (await import("../commands/rekey.ts")).rekey(typed.rekeyOptions(config), context);
    case "repo-gc":
      return await (await import("../commands/repo_gc.ts")).repoGc(typed.repoGcOptions(config), context);
    case "repo-sync":
      return await (await import("../commands/repo_sync.ts")).repoSync(typed.repoSyncOptions(config), context);
    case "repo-get":
      return await (await import("../commands/repo_get.ts")).repoGet(
        typed.repoGetOptions(config, parameters[0]!),
        context,
      );
    case "repo-ls":
      return await (await import("../commands/repo_ls.ts")).repoLs(typed.repoLsOptions(config, parameters[0]), context);
    case "repo-put":
      return await (await import("../commands/repo_put.ts")).repoPut(
        typed.repoPutOptions(config, parameters[0]!),
        Deno.stdin.readable,
        context,
      );
    case "repo-rm":
      return await (await import("../commands/repo_rm.ts")).repoRm(typed.repoRmOptions(config, parameters[0]), context);
    case "report": {
      const { reportOptions } = await import("./metrics_scopes.ts");
      return await (await import("../commands/report.ts")).report(
        await reportOptions(config, invocation, context),
        context,
      );
    }
    case "restore": {
      const { restoreCommandText } = await import("./restore_command.ts");
      return await (await import("../commands/restore.ts")).restore(
        typed.restoreOptions(config, restoreCommandText(config)),
        context,
      );
    }
    case "restore-command":
      return await serverSetting("restore_command", config, invocation, context);
    case "self-test":
      return await (await import("../commands/self_test.ts")).selfTest(parameters[0], context);
    case "stanza-create":
      return await (await import("../commands/stanza_create.ts")).stanzaCreate(typed.stanzaOptions(config), context);
    case "stanza-delete":
      return await (await import("../commands/stanza_delete.ts")).stanzaDelete(
        typed.stanzaDeleteOptions(config),
        context,
      );
    case "stanza-upgrade":
      return await (await import("../commands/stanza_upgrade.ts")).stanzaUpgrade(typed.stanzaOptions(config), context);
    case "start":
      return await (await import("../commands/start.ts")).start(typed.startStopOptions(config), context);
    case "stop":
      return await (await import("../commands/stop.ts")).stop(typed.startStopOptions(config), context);
    case "verify":
      return await (await import("../commands/verify.ts")).verify(
        typed.verifyOptions(config, invocation.invokedName),
        context,
      );
    case "version":
      return (await import("../commands/version.ts")).version(config.string("output"), invocation.invokedName, context);
    default:
      throw new WalferryError("Assert", `command '${config.command}' is not built`);
  }
}

/** Prints a setting of the server, or sets it. */
async function serverSetting(
  setting: "archive_command" | "restore_command",
  config: Configuration,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const texts = await import("./archive_command.ts");
  const text = setting === "archive_command"
    ? texts.archiveCommandText(config, invocation)
    : texts.queuedRestoreCommandText(config);
  if (!config.boolean("apply")) {
    context.output(`${text}\n`);
    return 0;
  }
  const { applySetting } = await import("../commands/apply_setting.ts");
  const { confirm } = await import("./ask.ts");
  return await applySetting({ ...typed.serverOptions(config), setting, text }, confirm, context);
}

/** One of three: PostgreSQL's command with or without a queue, or the process that fills it. */
async function archiveGet(
  config: Configuration,
  commandLine: CommandLine,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const commands = await import("../commands/archive_get.ts");
  const { parameters } = commandLine;
  if (commandLine.role === "async") {
    const { changeDetector } = await import("./background.ts");
    const options = typed.archiveGetAsyncOptions(config, [parameters[0]!, ""]);
    return await commands.archiveGetFill(
      { ...options, isOutdated: changeDetector(config, commandLine, invocation) },
      context,
    );
  }
  if (!config.boolean("archive-async")) {
    return await commands.archiveGet(typed.archiveGetOptions(config, parameters), context);
  }
  const { startBackground } = await import("./background.ts");
  return await commands.archiveGetAsync(
    typed.archiveGetAsyncOptions(config, parameters),
    // The destination is the queue.
    (firstSegment) => startBackground("archive-get:async", [firstSegment, "-"], commandLine, invocation),
    context,
  );
}

/** One of three: PostgreSQL's command with or without a background process, or that process. */
async function archivePush(
  config: Configuration,
  commandLine: CommandLine,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const commands = await import("../commands/archive_push.ts");
  const { parameters } = commandLine;
  if (commandLine.role === "async") {
    const { changeDetector } = await import("./background.ts");
    const options = {
      ...typed.pushServiceOptions(config, parameters),
      isOutdated: changeDetector(config, commandLine, invocation),
    };
    return await commands.archivePushService(options, context);
  }
  const { startBackground } = await import("./background.ts");
  const start = (pgWalPath: string) => startBackground("archive-push:async", [pgWalPath], commandLine, invocation);
  return config.boolean("archive-async")
    ? await commands.archivePushAsync(typed.archivePushAsyncOptions(config, parameters), start, context)
    : await commands.archivePush(typed.archivePushOptions(config, parameters), start, context);
}

/** Without it a repository grows until its disk is full. */
function warnOfRetention(config: Configuration, { log }: CommandContext): void {
  for (const key of config.indexes("repo")) {
    // One without backups keeps its WAL by those of the others.
    if (config.optionalString("repo-role", key) === "wal") continue;
    if (config.optionalNumber("repo-retention-full", key) === undefined) {
      log.warn(
        `option 'repo${key}-retention-full' is not set for 'repo${key}-retention-full-type=${
          config.string("repo-retention-full-type", key)
        }', the repository may run out of space\n` +
          `HINT: to retain full backups indefinitely (without warning), set option 'repo${key}-retention-full' to the maximum.`,
      );
    }
  }
}
