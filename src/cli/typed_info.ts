/** Options of the commands that look and tell, as typed values. */
import type { BackupType } from "../backup/options.ts";
import { WalferryError } from "../errors.ts";
import type { InfoOptions, ListenAddress, MetricsScope } from "../repository/options.ts";
import type { VerifyMode, VerifyOptions } from "../verify/options.ts";
import type { Configuration } from "./configuration.ts";
import { terminalOfOutput } from "./terminal.ts";
import { repositories, repository, stanzaOf } from "./typed_repositories.ts";

/** Options of info. */
export function infoOptions(config: Configuration): InfoOptions {
  const set = config.optionalString("set");
  if (set !== undefined && config.stanza === undefined) {
    throw new WalferryError("OptionInvalid", "option 'set' not valid without option 'stanza'");
  }
  if (config.boolean("timeline") && (config.string("output") === "json" || config.string("detail-level") !== "full")) {
    throw new WalferryError("OptionInvalid", "option 'timeline' is for text in full detail: it cannot be used here");
  }
  return {
    stanza: config.stanza,
    repositories: repositories(config),
    set,
    type: config.optionalString("type") as BackupType | undefined,
    output: config.string("output") === "json" ? "json" : "text",
    detailLevel: config.string("detail-level") as InfoOptions["detailLevel"],
    sight: sightOf(config.optionalBoolean("gaps")),
    timeline: config.boolean("timeline") ? terminalOfOutput() : undefined,
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
  };
}

/** `gaps`: without a word, only where listing is cheap. */
function sightOf(gaps: boolean | undefined): NonNullable<InfoOptions["sight"]> {
  if (gaps === undefined) return "directories";
  return gaps ? "all" : "none";
}

/** One stanza of metrics, or of the report. Metrics are asked for each minute: WAL is not listed for them. */
export function metricsScope(config: Configuration): MetricsScope {
  return {
    info: {
      stanza: config.stanza,
      repositories: repositories(config),
      output: "text",
      detailLevel: "full",
      sight: config.command === "report" ? sightOf(config.optionalBoolean("gaps")) : "none",
      lockPath: config.string("lock-path"),
      spoolPath: config.string("spool-path"),
    },
    clusterPath: config.optionalString("pg-path", 1),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** `9854`, `:9854`, `127.0.0.1:9854`, `[::1]:9854`. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'listen' option`, {
      hint: "an address and a port are expected, such as 127.0.0.1:9854 or [::1]:9854; :9854 is every address.",
    });
  }
  return { hostname: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** Options of verify. @param invokedName under the name `pgbackrest` exit code and output are that program's */
export function verifyOptions(config: Configuration, invokedName: string): VerifyOptions {
  const dropIn = invokedName === "pgbackrest";
  const chosen = repositories(config, true);
  const repositoriesChosen = config.isSet("repo");
  const all = () => config.indexes("repo").map((key) => repository(config, key));
  return {
    stanza: stanzaOf(config),
    // pgBackRest looks at the first one when none is named.
    repositories: dropIn && !repositoriesChosen ? chosen.slice(0, 1) : chosen,
    repositoriesChosen,
    set: config.optionalString("set"),
    mode: verifyMode(config),
    depth: config.boolean("deep") ? "content" : "stored",
    repair: config.boolean("repair") ? { from: all(), lockPath: config.string("lock-path") } : undefined,
    output: config.isSet("output") || !dropIn ? config.string("output") as VerifyOptions["output"] : "none",
    verbose: config.boolean("verbose"),
    exit: config.isSet("verify-exit") || !dropIn ? config.string("verify-exit") as VerifyOptions["exit"] : "compat",
    processMax: config.number("process-max"),
  };
}

function verifyMode(config: Configuration): VerifyMode {
  const sample = config.optionalString("sample");
  const quick = config.boolean("quick");
  const sinceLast = config.boolean("since-last");
  if (Number(sample !== undefined) + Number(quick) + Number(sinceLast) > 1) {
    throw new WalferryError("OptionInvalid", "of the options 'quick', 'sample' and 'since-last' only one can be used");
  }
  if (quick && config.boolean("deep")) {
    throw new WalferryError("OptionInvalid", "options 'deep' and 'quick' cannot be used together");
  }
  if (sinceLast && config.optionalString("set") !== undefined) {
    throw new WalferryError("OptionInvalid", "options 'set' and 'since-last' cannot be used together");
  }
  if (sample === undefined) return { kind: quick ? "quick" : sinceLast ? "since-last" : "full" };
  const percent = /^\d{1,3}(\.\d{1,3})?%?$/.test(sample) ? parseFloat(sample) : 0;
  if (percent > 0 && percent <= 100) return { kind: "sample", percent };
  throw new WalferryError("OptionInvalidValue", `'${sample}' is not valid for 'sample' option`, {
    hint: "a part in percent is expected, such as 5%.",
  });
}
