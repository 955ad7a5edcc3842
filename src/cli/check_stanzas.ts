/** `check` without a stanza takes every stanza section of the files in turn, each with its own effective options (behaviour spec §1.3). */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { parseCommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { checkOptions } from "./typed_options.ts";

/** Checks the stanza given, or all. @throws WalferryError of the first stanza that fails, when it is the only one; `Command` otherwise */
export async function checkStanzas(
  config: Configuration,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const { check } = await import("../commands/check.ts");
  if (config.stanza !== undefined) return await check(checkOptions(config), context);
  if (config.stanzaSections.length === 0) {
    throw new WalferryError("OptionRequired", "check command requires option: stanza", {
      hint: "the configuration file has no stanza section: name the stanza with --stanza.",
    });
  }
  const failures: WalferryError[] = [];
  for (const stanza of config.stanzaSections) {
    context.log.info(`check stanza '${stanza}'`);
    try {
      const commandLine = parseCommandLine([...invocation.args, `--stanza=${stanza}`]);
      const own = await loadConfiguration("check", commandLine, invocation);
      for (const warning of own.warnings) if (!config.warnings.includes(warning)) context.log.warn(warning);
      await check(checkOptions(own), context);
    } catch (error) {
      if (!(error instanceof WalferryError) || error.kind === "Term") throw error;
      context.log.error(`stanza '${stanza}': ${error.text}`, error.code);
      failures.push(error);
    }
  }
  if (failures.length === 0) return 0;
  const [only] = failures;
  throw failures.length === 1 ? only! : new WalferryError("Command", `check failed for ${failures.length} stanzas`);
}
