/** Sets of commands that many options share (behaviour spec §1.8). */
import type { CommandName } from "./commands.ts";

/** Commands on a stanza as a whole. */
export const STANZA_COMMANDS: readonly CommandName[] = ["stanza-create", "stanza-delete", "stanza-upgrade"];
/** Commands that use repositories. */
export const REPO: readonly CommandName[] = [
  "annotate",
  "archive-get",
  "archive-push",
  "backup",
  "check",
  "config-check",
  "drill",
  "expire",
  "info",
  "manifest",
  "pin",
  "unpin",
  "metrics",
  "rekey",
  "repo-gc",
  "repo-sync",
  "repo-get",
  "repo-ls",
  "repo-put",
  "repo-rm",
  "report",
  "restore",
  "verify",
  ...STANZA_COMMANDS,
];
/** Commands that look at the data directory. */
export const PG: readonly CommandName[] = [
  "archive-command",
  "archive-get",
  "archive-push",
  "backup",
  "check",
  "config-check",
  "drill",
  "metrics",
  "report",
  "restore",
  "restore-command",
  ...STANZA_COMMANDS,
];
/** Commands that connect to the cluster. */
export const PGDB: readonly CommandName[] = [
  "archive-command",
  "backup",
  "check",
  "config-check",
  "drill",
  "restore-command",
  ...STANZA_COMMANDS,
];
/** Everything that an administrator or PostgreSQL runs. */
export const SERVICE: readonly CommandName[] = [...REPO, "archive-command", "restore-command", "start", "stop"];
/** Commands whose end is worth telling somebody: not those that run for each segment, and not those that only show something. */
export const HOOKED: readonly CommandName[] = [
  "backup",
  "check",
  "config-check",
  "drill",
  "expire",
  "repo-gc",
  "repo-sync",
  "restore",
  "verify",
  ...STANZA_COMMANDS,
];
/** Options of backup, which config-check shows too; likewise below. */
export const BACKUP: readonly CommandName[] = ["backup", "config-check"];
export const RESTORE: readonly CommandName[] = ["restore", "config-check"];
export const RETENTION: readonly CommandName[] = ["backup", "expire", "verify", "config-check"];
