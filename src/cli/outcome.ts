/**
 * How a command ended, as JSON for programs: one line behind everything else with `--result=json`, and the standard input of hooks. The same
 * members for every command; docs/hooks.md says what they mean.
 */
import type { WalferryError } from "../errors.ts";
import type { Log } from "../report/log.ts";
import { failuresIn } from "../repository/repository_set.ts";
import { WALFERRY_VERSION } from "../version.ts";
import type { CommandName } from "./commands.ts";
import type { Configuration } from "./configuration.ts";

/** How a command ended. */
export interface Ending {
  /** Exit code. */
  readonly code: number;
  readonly error?: WalferryError;
}

/** When a command ran. */
export interface Span {
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
}

/** What was heard of single repositories while the command ran. */
export interface Heard {
  /** What they failed with, by number. */
  readonly failures: Map<number, string>;
  /** Those that the command had to do with; absent = it did not tell, and it was all of them. */
  participants?: ReadonlySet<number>;
}

/** Shorter values are no secrets, and replacing them would garble the text. */
const SECRET_MIN = 4;

/** A log that listens for what goes wrong with single repositories while the command goes on. */
export function listeningLog<T extends Log>(log: T, { failures }: Heard): Log {
  const hear = (message: string) => {
    for (const { key, text } of failuresIn(message)) failures.set(key, text);
  };
  return {
    error(message, code) {
      hear(message);
      log.error(message, code);
    },
    warn(message) {
      hear(message);
      log.warn(message);
    },
    info: (message) => log.info(message),
    detail: (message, process) => log.detail(message, process),
    debug: (message) => log.debug(message),
    trace: (message) => log.trace(message),
  };
}

/** The JSON, on one line without its end. */
export function outcomeJson(config: Configuration, ending: Ending, span: Span, heard: Heard): string {
  const { failures, participants } = heard;
  for (const { key, text } of failuresIn(ending.error?.text ?? "")) failures.set(key, text);
  const isOk = (key: number) => isDone(config, ending) && (participants?.has(key) ?? true);
  return withoutSecrets(
    JSON.stringify({
      ...beginning(config.command, config.stanza, ending, span),
      repo: keysInPlay(config).map((key) => ({
        "repo-key": key,
        result: failures.has(key) ? "failed" : isOk(key) ? "ok" : "unknown",
        error: failures.get(key) ?? null,
      })),
    }),
    config,
  );
}

/** The JSON of a command that did not come as far as to have a configuration. */
export function earlyOutcomeJson(
  command: string | undefined,
  error: WalferryError,
  code: number,
  nowMs: number,
): string {
  const span = { startMs: nowMs, durationMs: 0 };
  return JSON.stringify({ ...beginning(command, undefined, { code, error }, span), repo: [] });
}

function beginning(command: string | undefined, stanza: string | undefined, { code, error }: Ending, span: Span) {
  return {
    command: command ?? null,
    stanza: stanza ?? null,
    host: Deno.hostname(),
    version: WALFERRY_VERSION,
    result: error === undefined && code === 0 ? "success" : "failure",
    code,
    error: error === undefined
      ? null
      : { code: error.code, name: error.name, message: error.message, hint: error.hint ?? null },
    start: Math.floor(span.startMs / 1000),
    "duration-ms": Math.round(span.durationMs),
  };
}

/** Whether the repositories that no error names are done. */
function isDone({ command }: Configuration, { code, error }: Ending): boolean {
  // A `Command` error tells of some repositories when all the others are done; `verify` asks each by itself, whatever it ends with.
  return code === 0 || error?.kind === "Command" || (command === "verify" && failuresIn(error?.text ?? "").length > 0);
}

/** Commands that work with the first repository where none is named. */
const WITH_THE_FIRST: ReadonlySet<CommandName> = new Set(["backup", "repo-get", "repo-ls", "repo-put", "repo-rm"]);

/** Numbers of the repositories that the command was to work with. */
function keysInPlay(config: Configuration): number[] {
  const { command } = config;
  const all = config.indexes("repo");
  // Those that are for WAL alone get no backup, whatever is named.
  const keys = command === "backup" ? all.filter((key) => config.optionalString("repo-role", key) !== "wal") : all;
  const named = command === "repo-sync"
    ? `${config.optionalString("from")},${config.optionalString("to")}`
    : config.optionalString("repo");
  if (named !== undefined && named !== "all") return keys.filter((key) => named.split(",").includes(String(key)));
  return WITH_THE_FIRST.has(command) && named === undefined ? keys.slice(0, 1) : keys;
}

/** No message should hold a secret; what hands messages on to other programs makes sure of it. */
function withoutSecrets(json: string, config: Configuration): string {
  let text = json;
  for (const { option, value, source } of config.all()) {
    // What everybody has by default is no secret.
    if (!option.secure || source.kind === "default" || typeof value !== "string" || value.length < SECRET_MIN) continue;
    text = text.replaceAll(JSON.stringify(value).slice(1, -1), "<redacted>");
  }
  return text;
}
