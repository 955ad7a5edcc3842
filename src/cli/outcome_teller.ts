/** Tells how the command ended to those who asked: the caller with `--result=json`, and the hooks. */
import type { Clock } from "../process/clock.ts";
import type { Log } from "../report/log.ts";
import type { Configuration } from "./configuration.ts";
import { runHook } from "./hook.ts";
import { type Ending, type Heard, listeningLog, outcomeJson } from "./outcome.ts";

export interface OutcomeTeller {
  /** The log of the command. */
  readonly log: Log;
  /** Where the command writes its answer. */
  readonly output: (content: string | Uint8Array) => void;
  /** Takes down which repositories the command had to do with. */
  readonly tookPart: (keys: readonly number[]) => void;
  /** Tells. Never fails: the command has ended already. */
  tell(ending: Ending): Promise<void>;
}

/** Begins to listen; the time of the command counts from now. */
export function openOutcomeTeller(
  config: Configuration,
  environment: Readonly<Record<string, string>>,
  log: Log,
  clock: Clock,
  output: (content: string | Uint8Array) => void,
): OutcomeTeller {
  const heard: Heard = { failures: new Map() };
  const startMs = clock.nowMs();
  const startedAt = clock.monotonicMs();
  let atLineStart = true;
  return {
    output(content) {
      output(content);
      if (content.length > 0) atLineStart = content.at(-1) === (typeof content === "string" ? "\n" : 0x0a);
    },
    log: listeningLog(log, heard),
    tookPart: (keys) => heard.participants = new Set(keys),
    async tell(ending) {
      const outcome = outcomeJson(config, ending, { startMs, durationMs: clock.monotonicMs() - startedAt }, heard);
      const name = ending.code === 0 ? "hook-success" : "hook-failure";
      const hook = config.optionalString(name);
      if (hook !== undefined) {
        await runHook(name, hook, outcome, config.number("hook-timeout"), environment, log, clock);
      }
      if (config.optionalString("result") !== "json") return;
      try {
        // Some answers end without a line end; the result is a line of its own.
        output(`${atLineStart ? "" : "\n"}${outcome}\n`);
      } catch (error) {
        log.warn(`the result could not be written: ${(error as Error).message}`);
      }
    },
  };
}
