/**
 * Options of pgBackRest that are read and checked, and change nothing here, so that a configuration that works with it works unchanged.
 * Names, types and ranges: behaviour spec §1.8. Those of hosts that this version does not reach mean something only together with a
 * `repoN-host` that is refused where a command needs it.
 */
import { PG, REPO, SERVICE } from "./command_sets.ts";
import type { CommandName } from "./commands.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { DAY, MIB, MINUTE, PIB } from "./option_units.ts";

type Declared = Pick<OptionDeclaration, "name" | "type"> & Partial<OptionDeclaration>;

function compatible(commands: readonly CommandName[], options: readonly Declared[]): OptionDeclaration[] {
  return options.map((option) => ({ home: "global", commands, compatibilityOnly: true, ...option }));
}

/** Without an index. */
export const COMPATIBLE_PLAIN_OPTIONS: readonly OptionDeclaration[] = [
  ...compatible(["archive-get", "archive-push", "backup", "restore", "verify"], [
    { name: "job-retry", type: "integer", min: 0, max: 360 },
    { name: "job-retry-interval", type: "time", min: 0, max: 15 * MINUTE },
  ]),
  ...compatible(SERVICE, [
    { name: "beta", type: "boolean" },
    { name: "priority", type: "integer", min: -20, max: 19 },
  ]),
  ...compatible(REPO, [
    { name: "cmd-ssh", type: "string" },
    { name: "compress-level-network", type: "integer", min: -5, max: 12 },
    { name: "log-subprocess", type: "boolean" },
    { name: "protocol-timeout", type: "time", min: 100, max: 7 * DAY },
    { name: "sck-block", type: "boolean" },
    { name: "sck-keep-alive", type: "boolean" },
    { name: "tcp-keep-alive-count", type: "integer", min: 1, max: 32 },
    { name: "tcp-keep-alive-idle", type: "integer", min: 1, max: 3600 },
    { name: "tcp-keep-alive-interval", type: "integer", min: 1, max: 900 },
    { name: "tls-cipher-12", type: "string" },
    { name: "tls-cipher-13", type: "string" },
  ]),
  ...compatible(["archive-get"], [
    { name: "archive-missing-retry", type: "boolean" },
  ]),
  ...compatible(["archive-push"], [{ name: "archive-push-batch-size", type: "size", min: MIB, max: 4 * PIB }]),
  ...compatible(["backup"], [
    { name: "stop-auto", type: "boolean" },
  ]),
  // Of the command `server`, which this version does not have.
  ...compatible([], [
    { name: "tls-server-address", type: "string" },
    { name: "tls-server-auth", type: "hash" },
    { name: "tls-server-ca-file", type: "string" },
    { name: "tls-server-cert-file", type: "string" },
    { name: "tls-server-key-file", type: "string" },
    { name: "tls-server-port", type: "integer", min: 1, max: 65535 },
  ]),
];

/** `<group>-host-...`; `old` gives the older names of some. */
function hostOptions(
  group: "repo" | "pg",
  commands: readonly CommandName[],
  old: Readonly<Record<string, readonly string[]>>,
): OptionDeclaration[] {
  const names: ReadonlyArray<readonly [name: string, type: OptionDeclaration["type"]]> = [
    ["type", "string-id"],
    ["ca-file", "string"],
    ["ca-path", "string"],
    ["cert-file", "string"],
    ["cmd", "string"],
    ["config", "string"],
    ["config-include-path", "path"],
    ["config-path", "path"],
    ["key-file", "string"],
    ["port", "integer"],
    ["user", "string"],
  ];
  return compatible(
    commands,
    names.map(([name, type]) => ({
      name: `${group}-host-${name}`,
      type,
      group,
      depends: { option: `${group}-host` },
      oldNames: old[name],
      ...(name === "type" ? { allowed: ["ssh", "tls"] } : {}),
      ...(name === "port" ? { min: 0, max: 65535 } : {}),
    })),
  );
}

/** Of clusters. */
export const COMPATIBLE_CLUSTER_OPTIONS: readonly OptionDeclaration[] = hostOptions("pg", PG, {
  cmd: ["db-cmd", "db?-cmd"],
  config: ["db-config", "db?-config"],
  port: ["db-ssh-port", "db?-ssh-port"],
  user: ["db-user", "db?-user"],
});

/** Of repositories. */
export const COMPATIBLE_REPOSITORY_OPTIONS: readonly OptionDeclaration[] = [
  ...hostOptions("repo", REPO, {
    cmd: ["backup-cmd"],
    config: ["backup-config"],
    port: ["backup-ssh-port"],
    user: ["backup-user"],
  }),
];
