/**
 * Renews everything that is made from the option table: docs/options.md, docs/walferry.1 and docs/completion/. With `--check` nothing is
 * written and the exit code tells whether something is stale.
 */
import { COMMAND_NAMES, COMMANDS } from "../src/cli/commands.ts";
import { completionScript } from "../src/cli/completion.ts";
import { defaultText, optionsOf, shownName, usageOf, valuesText } from "../src/cli/help.ts";
import { COMMAND_HELP, optionHelp } from "../src/cli/option_help.ts";
import type { OptionDeclaration } from "../src/cli/option_declaration.ts";
import { OPTIONS } from "../src/cli/option_table.ts";
import { WALFERRY_VERSION } from "../src/version.ts";

const NOTE = "made from the option table by `deno task docs`; do not edit";

const visibleCommands = COMMAND_NAMES.filter((name) => !COMMANDS[name].hidden);

/** Every generated file and its text, by path. */
export function generatedFiles(): Map<string, string> {
  return new Map([
    ["docs/options.md", optionsPage()],
    ["docs/walferry.1", manPage()],
    ["docs/completion/walferry.bash", completionScript("bash")],
    ["docs/completion/_walferry", completionScript("zsh")],
    ["docs/completion/walferry.fish", completionScript("fish")],
  ]);
}

function optionsPage(): string {
  const all = [...OPTIONS.values()].filter(({ internal }) => !internal);
  const row = (option: OptionDeclaration): string => {
    const range = valuesText(option);
    const flags = [
      option.secure ? "secret" : "",
      option.own ? "walferry only" : "",
      option.home === "stanza" ? "stanza section" : "",
    ].filter(Boolean);
    const defaults = option.default ??
      Object.entries(option.defaults ?? {}).map(([command, value]) => `${command}: ${value}`).join(", ");
    return `| \`${shownName(option)}\` | ${option.type} | ${defaults} | ${range} | ${optionHelp(option.name)}${
      flags.length === 0 ? "" : ` *(${flags.join(", ")})*`
    } |`;
  };
  const table = (options: readonly OptionDeclaration[]): string =>
    `| option | type | default | values | purpose |\n|---|---|---|---|---|\n${options.map(row).join("\n")}\n`;
  const compatible = all.filter(({ compatibilityOnly }) => compatibilityOnly);
  const isElsewhere = ({ depends }: OptionDeclaration) =>
    depends !== undefined && ["repo-host", "pg-host"].includes(depends.option);
  const names = (options: readonly OptionDeclaration[]) =>
    options.map((option) => `\`${shownName(option)}\``).join(", ");
  const active = all.filter(({ compatibilityOnly }) => !compatibilityOnly);
  const section = (title: string, options: readonly OptionDeclaration[]) => `## ${title}\n\n${table(options)}`;
  return [
    `# Options\n\n<!-- ${NOTE} -->\n\nAn option stands on the command line (\`--name=value\`), in the environment (\`WALFERRY_NAME\`, else \`PGBACKREST_NAME\`) or in a configuration file (\`name=value\`), in this order of precedence. N is the number of a repository or cluster, from 1.\n`,
    section("On the command line only", active.filter(({ home }) => home === "command line")),
    section("General", active.filter(({ home, group }) => home === "global" && group === undefined)),
    section("Repositories", active.filter(({ group, name }) => group === "repo" && storeOf(name) === undefined)),
    ...STORES.map(([store, title]) => section(title, active.filter(({ name }) => storeOf(name) === store))),
    section("Clusters", active.filter(({ group }) => group === "pg")),
    `## Accepted for compatibility\n\nA configuration that works with pgBackRest may hold these. Their values are checked; they change nothing here.\n\n${
      names(compatible.filter((option) => !isElsewhere(option)))
    }\n`,
    `## Not in this version\n\nOptions of hosts that this version does not reach. They are read; a command that needs such a repository or cluster (\`repoN-host\`, \`pgN-host\`) refuses it, as it does \`repo-target-time\`.\n\n${
      names(compatible.filter(isElsewhere))
    }\n`,
    `## Commands\n\n${visibleCommands.map((name) => `- \`${usageOf(name)}\`: ${COMMAND_HELP[name]}`).join("\n")}\n`,
  ].join("\n");
}

/** Stores with options of their own, and how they are called. */
const STORES: ReadonlyArray<readonly [store: string, title: string]> = [
  ["storage", "Object stores"],
  ["s3", "S3"],
  ["azure", "Azure"],
  ["gcs", "GCS"],
  ["sftp", "SFTP"],
];

function storeOf(name: string): string | undefined {
  return STORES.find(([store]) => name.startsWith(`repo-${store}-`))?.[0];
}

function manPage(): string {
  const escape = (text: string) => text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^\./gm, "\\&.");
  const commands = visibleCommands.map((name) => `.TP\n.B ${escape(usageOf(name))}\n${escape(COMMAND_HELP[name])}`)
    .join("\n");
  const options = visibleCommands.map((name) => {
    const lines = optionsOf(name).flatMap(([, list]) => list).map((option) =>
      `.TP\n.B \\-\\-${escape(shownName(option))}\n${escape(optionHelp(option.name) + defaultText(option, name))}`
    );
    return lines.length === 0 ? "" : `.SS ${escape(name)}\n${lines.join("\n")}\n`;
  }).join("");
  return `.\\" ${NOTE}
.TH WALFERRY 1 "" "walferry ${WALFERRY_VERSION}"
.SH NAME
walferry \\- PostgreSQL backup and WAL archiving
.SH SYNOPSIS
.B walferry
[options] command [parameters]
.SH DESCRIPTION
Archives WAL, backs up and restores PostgreSQL over several repositories in pgBackRest's repository format.
.SH COMMANDS
${commands}
.SH OPTIONS
${options}.SH FILES
.TP
.I /etc/walferry/walferry.conf
configuration; /etc/pgbackrest/pgbackrest.conf where it does not exist
.SH EXIT STATUS
0 for success. archive\\-get: 1 when the file is proved absent, 255 for any error. Other errors have pgBackRest's codes, 25 to 125.
`;
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  const stale: string[] = [];
  for (const [path, text] of generatedFiles()) {
    const before = await Deno.readTextFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (before === text) continue;
    stale.push(path);
    if (check) continue;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  if (stale.length > 0) console.log(`${check ? "stale" : "renewed"}: ${stale.join(", ")}`);
  if (check && stale.length > 0) {
    console.log("run: deno task docs");
    Deno.exit(1);
  }
}
