/** The commands of the program: what each takes, and how it is logged. Their options are in `option_table.ts`. */

export const COMMAND_NAMES = [
  "annotate",
  "archive-command",
  "archive-get",
  "archive-push",
  "backup",
  "check",
  "completion",
  "config-check",
  "demo",
  "drill",
  "expire",
  "help",
  "info",
  "manifest",
  "metrics",
  "pin",
  "rekey",
  "repo-gc",
  "repo-get",
  "repo-ls",
  "repo-put",
  "repo-rm",
  "repo-sync",
  "report",
  "restore",
  "restore-command",
  "self-test",
  "stanza-create",
  "stanza-delete",
  "stanza-upgrade",
  "start",
  "stop",
  "unpin",
  "verify",
  "version",
] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];

export interface CommandDeclaration {
  /** Names of the parameters behind the command, in order. */
  readonly parameters: readonly string[];
  /** How many of them may be left out. */
  readonly optionalParameters?: number;
  readonly stanza: "required" | "optional" | "none";
  /** Writes `<log-path>/<stanza>-<command>.log` (behaviour spec §8.2). */
  readonly logFile?: boolean;
  /** Begin and end lines are `info`, or `debug` for commands that only show something. */
  readonly logLevel: "info" | "debug";
  /** May run as root without `allow-root=y`. */
  readonly allowRoot?: boolean;
  /** Reads neither environment nor configuration files. */
  readonly bare?: boolean;
  readonly hidden?: boolean;
}

export const COMMANDS: Readonly<Record<CommandName, CommandDeclaration>> = {
  "annotate": { parameters: [], stanza: "required", logLevel: "info" },
  "archive-command": { parameters: [], stanza: "required", logLevel: "debug", allowRoot: true },
  "archive-get": { parameters: ["wal-name", "destination"], stanza: "required", logLevel: "info" },
  "archive-push": { parameters: ["wal-path"], stanza: "required", logLevel: "info" },
  "backup": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "check": { parameters: [], stanza: "optional", logLevel: "info" },
  "completion": { parameters: ["shell"], stanza: "none", logLevel: "debug", allowRoot: true, bare: true },
  "config-check": {
    parameters: ["command"],
    optionalParameters: 1,
    stanza: "optional",
    logLevel: "debug",
    allowRoot: true,
  },
  "demo": { parameters: [], stanza: "none", logLevel: "debug", allowRoot: true, bare: true },
  "drill": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "expire": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "help": {
    parameters: ["command", "option"],
    optionalParameters: 2,
    stanza: "none",
    logLevel: "debug",
    allowRoot: true,
    bare: true,
  },
  "info": { parameters: [], stanza: "optional", logLevel: "debug", allowRoot: true },
  "manifest": { parameters: [], stanza: "required", logLevel: "debug", allowRoot: true },
  "pin": { parameters: [], stanza: "required", logLevel: "info" },
  "unpin": { parameters: [], stanza: "required", logLevel: "info" },
  "metrics": { parameters: [], stanza: "optional", logLevel: "debug", allowRoot: true },
  "rekey": { parameters: [], stanza: "optional", logLevel: "info" },
  "repo-gc": { parameters: [], stanza: "none", logLevel: "info" },
  "repo-sync": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "repo-get": { parameters: ["file"], stanza: "optional", logLevel: "debug", allowRoot: true },
  "repo-ls": { parameters: ["path"], optionalParameters: 1, stanza: "optional", logLevel: "debug", allowRoot: true },
  "repo-put": { parameters: ["file"], stanza: "optional", logLevel: "debug" },
  "repo-rm": { parameters: ["path"], optionalParameters: 1, stanza: "optional", logLevel: "debug" },
  "report": { parameters: [], stanza: "optional", logLevel: "debug", allowRoot: true },
  "restore": { parameters: [], stanza: "required", logFile: true, logLevel: "info", allowRoot: true },
  "restore-command": { parameters: [], stanza: "required", logLevel: "debug", allowRoot: true },
  "self-test": {
    parameters: ["part"],
    optionalParameters: 1,
    stanza: "none",
    logLevel: "debug",
    allowRoot: true,
    bare: true,
    hidden: true,
  },
  "stanza-create": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "stanza-delete": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "stanza-upgrade": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "start": { parameters: [], stanza: "optional", logFile: true, logLevel: "info" },
  "stop": { parameters: [], stanza: "optional", logFile: true, logLevel: "info" },
  "verify": { parameters: [], stanza: "required", logFile: true, logLevel: "info" },
  "version": { parameters: [], stanza: "none", logLevel: "debug", allowRoot: true, bare: true },
};

/** Short names people may type. */
export const COMMAND_ALIASES: Readonly<Record<string, CommandName>> = { push: "archive-push", get: "archive-get" };

/** The command meant by a word, or `undefined`. */
export function commandNamed(word: string): CommandName | undefined {
  const name = COMMAND_ALIASES[word] ?? word;
  return (COMMAND_NAMES as readonly string[]).includes(name) ? (name as CommandName) : undefined;
}
