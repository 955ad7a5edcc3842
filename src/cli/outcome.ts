/**
 * How a command ended, as JSON for programs: one line behind everything else with `--result=json`, and the standard input of hooks. The same
 * members for every command; docs/hooks.md says what they mean.
 */
import type { WalferryError } from "../errors.ts";
import type { Log } from "../report/log.ts";
import { failuresIn } from "../repository/repository_set.ts";
import { WALFERRY_VERSION } from "../version.ts";
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

/** What repositories were heard to fail with, by number. */
export type HeardFailures = Map<number, string>;

/** Shorter values are no secrets, and replacing them would garble the text. */
const SECRET_MIN = 4;

/** A log that listens for what goes wrong with single repositories while the command goes on. */
export function listeningLog<T extends Log>(log: T, heard: HeardFailures): Log {
  const hear = (message: string) => {
    for (const { key, text } of failuresIn(message)) heard.set(key, text);
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
export function outcomeJson(config: Configuration, ending: Ending, span: Span, heard: HeardFailures): string {
  for (const { key, text } of failuresIn(ending.error?.text ?? "")) heard.set(key, text);
  return withoutSecrets(
    JSON.stringify({
      ...beginning(config.command, config.stanza, ending, span),
      repo: keysInPlay(config).map((key) => ({
        "repo-key": key,
        result: heard.has(key) ? "failed" : isDone(config, ending) ? "ok" : "unknown",
        error: heard.get(key) ?? null,
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

/** Numbers of the repositories that the command was to work with. */
function keysInPlay(config: Configuration): number[] {
  const keys = config.indexes("repo");
  const named = config.optionalString("repo");
  if (named !== undefined && named !== "all") return keys.filter((key) => named.split(",").includes(String(key)));
  // Without --repo a backup goes to the first repository.
  return config.command === "backup" && named === undefined ? keys.slice(0, 1) : keys;
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
