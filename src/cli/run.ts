/**
 * One run of the program: words and files to options, the command between its begin and end lines, the exit code. A short command goes
 * through here without loading anything that it does not use.
 */
import { ERROR_CODES, toWalferryError, WalferryError } from "../errors.ts";
import { systemClock } from "../process/clock.ts";
import type { CommandContext } from "../process/command_context.ts";
import { makeExecId } from "../process/exec_id.ts";
import { listenForSignals } from "../process/signals.ts";
import { LOG_LEVELS, type LogLevel } from "../report/log.ts";
import { createLog, type LogOptions, type OpenLog } from "../report/log_writer.ts";
import { withoutControls } from "../report/shown_text.ts";
import { silentProgress } from "../report/progress.ts";
import { writeFully } from "../report/write_fully.ts";
import { BACKREST_VERSION } from "../version.ts";
import { type CommandLine, parseCommandLine } from "./command_line.ts";
import { type CommandName, COMMANDS } from "./commands.ts";
import { Configuration } from "./configuration.ts";
import { dispatch } from "./dispatch.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { describeOptions } from "./begin_line.ts";
import type { Ending } from "./outcome.ts";
import type { OutcomeTeller } from "./outcome_teller.ts";

/** Exit code of archive-get for what is neither "delivered" nor "proved absent": above 125, so that PostgreSQL's recovery stops. */
const ARCHIVE_GET_FAILED = 255;

/** Runs one command; gives the exit code. Never throws. */
export async function run(called: Invocation): Promise<number> {
  const invocation = await inItsTimeZone(called);
  let commandLine: CommandLine;
  try {
    commandLine = parseCommandLine(invocation.args);
  } catch (error) {
    return await endEarly(toWalferryError(error), undefined, invocation);
  }
  const command = commandLine.command ?? "help";
  try {
    if (COMMANDS[command].bare) return await runBare(command, commandLine, invocation);
    return await runConfigured(command, commandLine, invocation);
  } catch (error) {
    return await endEarly(toWalferryError(error), command, invocation);
  }
}

/** Local time is the same for this program, and all that it starts, as for the host's other programs. */
async function inItsTimeZone(invocation: Invocation): Promise<Invocation> {
  const { TZ: before } = invocation.environment;
  // The names of zones are what the engine knows.
  if (before === undefined || /^[A-Za-z][A-Za-z_/]*$/.test(before)) return invocation;
  const { engineTimeZone } = await import("../process/time_zone.ts");
  const TZ = engineTimeZone(before);
  if (TZ === before) return invocation;
  if (TZ === "") Deno.env.delete("TZ");
  else Deno.env.set("TZ", TZ);
  return { ...invocation, environment: { ...invocation.environment, TZ } };
}

/** For a command whose times are read by people. */
async function warnOfTimeZone(config: Configuration, { environment: { TZ } }: Invocation, log: OpenLog): Promise<void> {
  if (!TZ || config.command.startsWith("archive-") || config.optionalString("output") === "json") return;
  const { isLocalTimeKnown } = await import("../process/time_zone.ts");
  if (isLocalTimeKnown(TZ)) return;
  const { formatUtcOffset } = await import("../report/units.ts");
  log.warn(
    `the time zone TZ='${TZ}' is not understood: times are told with the offset ${
      formatUtcOffset(systemClock.nowMs())
    } from UTC\nHINT: name a zone, such as TZ=Europe/Berlin.`,
  );
}

/** As {@link reportEarly}, and as JSON when that was asked for. */
async function endEarly(
  error: WalferryError,
  command: CommandName | undefined,
  invocation: Invocation,
): Promise<number> {
  const code = await reportEarly(error, command, invocation);
  if (!/ --result[= ]json /.test(` ${invocation.args.join(" ")} `)) return code;
  const { earlyOutcomeJson } = await import("./outcome.ts");
  try {
    writeOutput(`${earlyOutcomeJson(command, error, code, systemClock.nowMs())}\n`);
  } catch (failure) {
    // Nobody is there to be told: the code says it.
    if (!(failure instanceof Error)) throw failure;
  }
  return code;
}

/** Commands that read neither environment nor files, so that they work with a broken configuration. */
async function runBare(command: CommandName, commandLine: CommandLine, invocation: Invocation): Promise<number> {
  const config = Configuration.make({ command, commandLine: { ...commandLine, command }, environment: {}, lines: [] });
  assertParameters(command, commandLine.parameters);
  using signals = listenForSignals(command === "archive-get" ? ARCHIVE_GET_FAILED : ERROR_CODES.Term);
  using log = createLog({ console: "warn", stderr: "off", format: "text", timestamp: true, processDigits: 2 });
  const context = makeContext(log, signals.signal);
  const { code } = await guarded(
    command,
    config,
    invocation,
    log,
    () => dispatch(config, commandLine, invocation, context),
  );
  return code;
}

async function runConfigured(command: CommandName, commandLine: CommandLine, invocation: Invocation): Promise<number> {
  const config = await loadConfiguration(command, commandLine, invocation);
  if (config.boolean("neutral-umask")) Deno.umask(0);
  const { progress, aroundTerminal } = await openProgress(command);
  using log = createLog(logOptions(config, commandLine, aroundTerminal));
  for (const warning of config.warnings) log.warn(warning);
  await warnOfTimeZone(config, invocation, log);
  const declaration = COMMANDS[command];
  using signals = listenForSignals(command === "archive-get" ? ARCHIVE_GET_FAILED : ERROR_CODES.Term);
  const teller = await openTeller(config, invocation, log);
  const context: CommandContext = {
    ...makeContext(log, signals.signal),
    progress,
    ...(teller === undefined ? {} : { log: teller.log, output: teller.output, tookPart: teller.tookPart }),
  };
  const say = declaration.logLevel === "debug" ? log.debug.bind(log) : log.info.bind(log);
  const startMs = systemClock.monotonicMs();
  // Putting the line together costs something that nobody would read.
  const heard = log.level !== "off" && log.level !== "error" && log.level !== "warn";
  if (heard) {
    const shown = commandLine.role === undefined ? command : `${command}:${commandLine.role}`;
    say(`${shown} command begin ${BACKREST_VERSION}: ${describeOptions(config, commandLine.parameters)}`.trimEnd());
  }
  const ending = await guarded(command, config, invocation, log, async () => {
    assertParameters(command, commandLine.parameters);
    assertStanza(command, config);
    assertAccount(command, config);
    const code = await dispatch(config, commandLine, invocation, context);
    const elapsed = config.boolean("log-timestamp") ? ` (${Math.round(systemClock.monotonicMs() - startMs)}ms)` : "";
    say(`${command} command end: completed successfully${elapsed}`);
    return code;
  });
  await teller?.tell(ending);
  return ending.code;
}

/** What tells other programs how the command ends; nothing when nobody wants to know. */
async function openTeller(
  config: Configuration,
  invocation: Invocation,
  log: OpenLog,
): Promise<OutcomeTeller | undefined> {
  const wanted = config.optionalString("result") === "json" || config.isSet("hook-success") ||
    config.isSet("hook-failure");
  if (!wanted) return undefined;
  const { openOutcomeTeller } = await import("./outcome_teller.ts");
  return openOutcomeTeller(config, invocation.environment, log, systemClock, writeOutput);
}

/** Runs, and turns whatever is thrown into log lines and the documented code. */
async function guarded(
  command: CommandName,
  config: Configuration,
  invocation: Invocation,
  log: OpenLog,
  action: () => Promise<number>,
): Promise<Ending> {
  try {
    return { code: await action() };
  } catch (thrown) {
    const error = toWalferryError(thrown);
    log.error(error.text, error.code);
    if (error.kind === "Unhandled" || error.kind === "Assert") logOrigin(log, error);
    const end = `${command} command end: `;
    const tell = COMMANDS[command].logLevel === "debug" ? log.debug.bind(log) : log.info.bind(log);
    if (error.kind === "Term") tell(end + error.message);
    else tell(`${end}aborted with exception [${String(error.code).padStart(3, "0")}]`);
    return { code: await exitCode(command, config, invocation, error), error };
  }
}

function logOrigin(log: OpenLog, error: WalferryError): void {
  const origin = error.cause instanceof Error ? error.cause.stack : error.stack;
  if (origin !== undefined) log.debug(origin);
}

/**
 * pgBackRest's own codes for archive-get are below 126, which PostgreSQL takes for "not there": on request, as a drop-in, and for a standby
 * that asks again.
 */
async function exitCode(
  command: CommandName | undefined,
  config: Configuration | undefined,
  invocation: Invocation,
  error: WalferryError,
): Promise<number> {
  if (command !== "archive-get") return error.code;
  const chosen = config?.isSet("archive-get-exit") ? config.string("archive-get-exit") : undefined;
  const mode = chosen ?? (invocation.invokedName === "pgbackrest" ? "compat" : "strict");
  return mode === "compat" || await isAskedByStandby(config, invocation) ? error.code : ARCHIVE_GET_FAILED;
}

/** PostgreSQL runs its commands in its data directory: that is known also where the configuration is what is wrong. */
async function isAskedByStandby(config: Configuration | undefined, { args }: Invocation): Promise<boolean> {
  const { isHistoryName, isWalSegmentName } = await import("../format/wal_name.ts");
  const walName = args.find((word) => isWalSegmentName(word) || isHistoryName(word));
  if (walName === undefined) return false;
  const { asksAgain } = await import("../postgres/standby_request.ts");
  return asksAgain(Deno.cwd(), walName, config?.optionalString("pg-version-force"));
}

/** An error before there is a log: on standard error, without time. */
async function reportEarly(
  error: WalferryError,
  command: CommandName | undefined,
  invocation: Invocation,
): Promise<number> {
  const head = `ERROR: [${String(error.code).padStart(3, "0")}]: `;
  const text = `${head}${withoutControls(error.text).replaceAll("\n", `\n${" ".repeat(head.length)}`)}\n`;
  try {
    writeFully(Deno.stderr, new TextEncoder().encode(text));
  } catch (failure) {
    // Nobody is there to be told: the code says it.
    if (!(failure instanceof Error)) throw failure;
  }
  // The words could not be understood, but a caller that wants a segment must not take the error for "not there".
  const getting = invocation.args.some((word) => word === "archive-get" || word === "get");
  return await exitCode(command ?? (getting ? "archive-get" : undefined), undefined, invocation, error);
}

function makeContext(log: OpenLog, signal: AbortSignal): CommandContext {
  return {
    log,
    clock: systemClock,
    progress: silentProgress,
    signal,
    output: writeOutput,
    execId: makeExecId(),
  };
}

/** @throws WalferryError `FileWrite`: half an answer must not look like a whole one */
function writeOutput(content: string | Uint8Array): void {
  try {
    writeFully(Deno.stdout, typeof content === "string" ? new TextEncoder().encode(content) : content);
  } catch (error) {
    throw new WalferryError("FileWrite", `unable to write to standard output: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A progress line for long commands on a terminal. */
async function openProgress(
  command: CommandName,
): Promise<{ progress: CommandContext["progress"]; aroundTerminal?: LogOptions["aroundTerminal"] }> {
  const isLong = command === "backup" || command === "drill" || command === "restore" || command === "verify";
  if (!isLong || !Deno.stderr.isTerminal()) return { progress: silentProgress };
  const { createProgressBar } = await import("../report/progress_bar.ts");
  return createProgressBar();
}

function logOptions(
  config: Configuration,
  { role }: CommandLine,
  aroundTerminal: LogOptions["aroundTerminal"],
): LogOptions {
  const { command } = config;
  const name = role === undefined ? command : `${command}-${role}`;
  const path = `${config.string("log-path")}/${config.stanza ?? "all"}-${name}.log`;
  const [console, stderr] = (["log-level-console", "log-level-stderr"] as const).map((option) =>
    config.string(option) as LogLevel
  );
  // A program that reads the answer must find nothing else on standard output.
  const alone = (command === "verify" || command === "drill") && config.string("output") === "json";
  return {
    console: alone ? "off" : console!,
    stderr: alone ? moreTalkative(console!, stderr!) : stderr!,
    file: COMMANDS[command].logFile || role !== undefined
      ? { level: config.string("log-level-file") as LogLevel, path }
      : undefined,
    format: config.string("log-format") === "json" ? "json" : "text",
    timestamp: config.boolean("log-timestamp"),
    processDigits: (config.optionalNumber("process-max") ?? 1) > 99 ? 3 : 2,
    // A plan removes nothing either.
    dryRun: config.optionalBoolean("dry-run") || (command === "expire" && config.boolean("plan")),
    aroundTerminal,
  };
}

function moreTalkative(a: LogLevel, b: LogLevel): LogLevel {
  return LOG_LEVELS.indexOf(a) > LOG_LEVELS.indexOf(b) ? a : b;
}

function assertParameters(command: CommandName, parameters: readonly string[]): void {
  const { parameters: names, optionalParameters = 0 } = COMMANDS[command];
  if (parameters.length > names.length) {
    throw new WalferryError(
      "ParamInvalid",
      names.length === 0
        ? "command does not allow parameters"
        : `extra parameters found: ${parameters.slice(names.length).join(" ")}`,
    );
  }
  const missing = names.slice(parameters.length, names.length - optionalParameters);
  if (missing.length > 0) {
    const hints: Partial<Record<CommandName, string>> = {
      "archive-push": "archive_command = 'walferry --stanza=<stanza> archive-push %p'",
      "archive-get": `restore_command = 'walferry --stanza=<stanza> archive-get %f "%p"'`,
    };
    throw new WalferryError("ParamRequired", `${command} requires parameter: ${missing.join(", ")}`, {
      hint: hints[command],
    });
  }
}

function assertStanza(command: CommandName, config: Configuration): void {
  if (COMMANDS[command].stanza === "required" && config.stanza === undefined) config.missing("stanza");
}

/** Files that root wrote into a repository cannot be replaced by the account that archives. */
function assertAccount(command: CommandName, config: Configuration): void {
  if (Deno.uid() !== 0 || COMMANDS[command].allowRoot || config.optionalBoolean("allow-root")) return;
  throw new WalferryError("OptionInvalid", `the '${command}' command does not run as root`, {
    hint: "run it as the account that owns the cluster (usually postgres).\nallow-root=y allows it all the same.",
  });
}
