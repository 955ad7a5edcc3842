/**
 * The `archive_command` and the `restore_command` for a stanza. With asynchronous archiving their first half is a test that the shell makes
 * by itself: the answer is there, it is about this cluster, it is empty (nothing to warn of), and it is newer than the file; or the segment
 * is in the queue of this cluster. Only otherwise a program is started, which judges by the same rules.
 */
import { readControlFile } from "../postgres/control_file.ts";
import { GetQueue } from "../archive/get_queue.ts";
import { PushSpool } from "../archive/spool.ts";
import { selfCommand } from "../process/self.ts";
import type { Configuration } from "./configuration.ts";
import type { Invocation } from "./load_configuration.ts";
import { forwardedWords, restoreCommandText } from "./restore_command.ts";
import { quoted } from "./shell_words.ts";

/** The text of `archive_command` as it is to be written into the setting (`%` marks are PostgreSQL's). @throws WalferryError when pg_control cannot be read */
export function archiveCommandText(config: Configuration, { invokedName }: Invocation): string {
  const { path, args } = selfCommand();
  const program = invokedName === "pgbackrest" ? ["pgbackrest"] : [path, ...args];
  const stanza = config.stanza!;
  const ordinary = [
    ...program.map(quoted),
    ...forwardedWords(config, "archive-push"),
    quoted(`--stanza=${stanza}`),
    "archive-push",
    '"%p"',
  ].join(" ");
  if (!config.boolean("archive-async")) return ordinary;
  const { systemId } = readControlFile(config.string("pg-path", 1));
  const spool = new PushSpool(config.string("spool-path"), stanza);
  const identity = quoted(spool.identityPath);
  return [
    `i=; if [ -r ${identity} ]; then read -r i <${identity}; fi`,
    `o=${quoted(spool.path)}/%f.ok`,
    `if [ "$i" = ${systemId} ] && [ -e "$o" ] && [ ! -s "$o" ] && [ "$o" -nt "%p" ]; then exit 0; fi`,
    `exec ${ordinary}`,
  ].join("; ");
}

/**
 * The text of `restore_command`. What is in the queue is verified already, and PostgreSQL compares the system identifier of each page; the
 * queue's own identity keeps another cluster's segments away. @throws WalferryError when pg_control cannot be read
 */
export function queuedRestoreCommandText(config: Configuration): string {
  const ordinary = restoreCommandText(config);
  if (!config.boolean("archive-async")) return ordinary;
  const { systemId } = readControlFile(config.string("pg-path", 1));
  const queue = new GetQueue(config.string("spool-path"), config.stanza!);
  const identity = quoted(queue.identityPath);
  return [
    `i=; if [ -r ${identity} ]; then read -r i <${identity}; fi`,
    `q=${quoted(queue.path)}/%f`,
    `if [ "$i" = ${systemId} ] && [ -s "$q" ] && mv -f "$q" "%p"; then exit 0; fi`,
    `exec ${ordinary}`,
  ].join("; ");
}
