/** `archive-command --apply` and `restore-command --apply`: writes a setting into the running cluster, after asking. */
import { WalferryError } from "../errors.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import { connectCluster } from "../postgres/connection.ts";
import type { CommandContext } from "../process/command_context.ts";

export interface ApplySettingOptions {
  readonly cluster: ClusterConfig;
  readonly dbTimeoutMs: number;
  readonly setting: "archive_command" | "restore_command";
  readonly text: string;
}

/**
 * Sets it with ALTER SYSTEM and lets the server read its files again.
 * @param confirm asks a person; not called when the setting is there already
 * @returns exit code: 0 = it is set, 1 = the person said no
 * @throws WalferryError `DbConnect`, `DbQuery`
 */
export async function applySetting(
  { cluster, dbTimeoutMs, setting, text }: ApplySettingOptions,
  confirm: (question: string) => boolean,
  context: CommandContext,
): Promise<number> {
  await using connection = await connectCluster(cluster, {
    dbTimeoutMs,
    applicationName: `walferry [${setting}]`,
    signal: context.signal,
  });
  const before = await currentValue();
  if (before === text) {
    context.output(`${setting} is set already\n`);
    return 0;
  }
  const question = `${setting} of the cluster in '${cluster.path}'\n  is    ${
    before === "" ? "(empty)" : before
  }\n  to be ${text}\n`;
  if (!confirm(question)) {
    context.output(`${setting} was left as it is\n`);
    return 1;
  }
  await connection.query(`alter system set ${setting} = ${connection.literal(text)}`);
  await connection.query("select pg_catalog.pg_reload_conf()");
  // The server takes it over when its processes have heard of it; until 14 restore_command waits for a restart.
  const { pending } = await connection.queryRow(
    `select pending_restart::text as pending from pg_catalog.pg_settings where name = ${connection.literal(setting)}`,
  );
  context.output(`${setting} was set\n`);
  if (pending === "true" || (setting === "restore_command" && Number(connection.settings.pgVersion) < 14)) {
    context.log.warn(`${setting} takes effect when the server is restarted`);
  }
  return 0;

  async function currentValue(): Promise<string> {
    const sql = `select setting as value from pg_catalog.pg_settings where name = ${connection.literal(setting)}`;
    const { value } = await connection.queryRow(sql);
    if (typeof value === "string") return value;
    throw new WalferryError("DbQuery", `unable to see ${setting}`, {
      hint: "is the pg_read_all_settings role assigned, and may the user run ALTER SYSTEM?",
    });
  }
}
