/** Which of the configured clusters of a stanza is the primary, and which a standby. */
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import type { ClusterConfig } from "./config.ts";
import { type ClusterConnection, connectCluster, type ConnectOptions } from "./connection.ts";
import { type ControlData, readControlFile } from "./control_file.ts";

/**
 * `backup-standby`: most files are read from a standby (`y`), from one if there is one (`prefer`), or none is (`n`); `only` = the whole backup is
 * made on a standby, without the primary.
 */
export type BackupStandby = "y" | "prefer" | "n" | "only";

/** A cluster that answered. */
export interface FoundCluster {
  readonly connection: ClusterConnection;
  /** As it was when the session began. */
  readonly control: ControlData;
}

/** The clusters of a stanza that answered; closing it closes every session. */
export class ClusterGroup implements AsyncDisposable {
  /** @internal Use {@link findClusters}. */
  constructor(
    /** Absent when every cluster that answered is in recovery. */
    readonly primary: FoundCluster | undefined,
    /** The first one found; absent as well when none was wanted. */
    readonly standby: FoundCluster | undefined,
    /** Why the last cluster that did not answer did not. */
    readonly refused: WalferryError | undefined,
  ) {}

  /** @throws WalferryError `DbConnect` when there is no primary */
  requirePrimary(): FoundCluster {
    if (this.primary !== undefined) return this.primary;
    throw new WalferryError("DbConnect", "unable to find primary cluster - cannot proceed", {
      hint: "are all available clusters in recovery?",
      cause: this.refused,
    });
  }

  /** @throws WalferryError `DbConnect` when there is no standby */
  requireStandby(): FoundCluster {
    if (this.standby !== undefined) return this.standby;
    throw new WalferryError("DbConnect", "unable to find standby cluster - cannot proceed", { cause: this.refused });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll([this.primary, this.standby].flatMap((found) => (found === undefined ? [] : [found.connection])));
  }
}

/** How {@link findClusters} looks. */
export interface FindClustersOptions extends ConnectOptions {
  /** A standby is of use; without this its session is closed at once. */
  readonly standby: boolean;
  /** Hears of clusters that did not answer. */
  readonly log: { warn(message: string): void };
  readonly pgVersionForce?: string;
}

/**
 * Connects to every configured cluster and tells the primary from the standbys. A cluster that does not answer is a warning.
 *
 * @throws WalferryError `DbConnect` when there is more than one primary; what {@link readControlFile} throws for the primary
 */
export async function findClusters(
  clusters: readonly ClusterConfig[],
  options: FindClustersOptions,
): Promise<ClusterGroup> {
  const primaries: ClusterConnection[] = [];
  let standby: FoundCluster | undefined;
  let refused: WalferryError | undefined;
  try {
    for (const config of clusters) {
      try {
        const connection = await connectCluster(config, options);
        let kept = false;
        try {
          if (!await connection.inRecovery()) {
            kept = primaries.push(connection) > 0;
          } else if (options.standby && standby === undefined) {
            standby = { connection, control: readControlFile(config.path, options.pgVersionForce) };
            kept = true;
          }
        } finally {
          if (!kept) await connection[Symbol.asyncDispose]();
        }
      } catch (error) {
        options.signal.throwIfAborted();
        refused = toWalferryError(error);
        options.log.warn(`unable to check pg${config.key}: [${refused.name}] ${refused.text}`);
      }
    }
    if (primaries.length > 1) {
      throw new WalferryError(
        "DbConnect",
        `more than one primary cluster found: ${primaries.map((one) => one.name).join(", ")}`,
        { hint: "was a standby promoted? Leave the cluster that is given up out of the configuration." },
      );
    }
    const [connection] = primaries;
    const primary = connection && { connection, control: controlOf(connection, options.pgVersionForce) };
    return new ClusterGroup(primary, standby, refused);
  } catch (error) {
    await closeAll([...primaries, ...(standby === undefined ? [] : [standby.connection])]);
    throw error;
  }
}

/** The control file where the configuration says that it is. The server knows where it really is. */
function controlOf({ config, name, settings }: ClusterConnection, versionForce: string | undefined): ControlData {
  try {
    return readControlFile(config.path, versionForce);
  } catch (error) {
    if (!isWalferryError(error, "FileMissing")) throw error;
    throw new WalferryError(error.kind, error.message, {
      hint: `the data directory of the server that answers is '${settings.dataDirectory}': does ${name}-path say so?`,
      cause: error,
    });
  }
}

async function closeAll(connections: readonly ClusterConnection[]): Promise<void> {
  await Promise.all(connections.map((connection) => connection[Symbol.asyncDispose]()));
}
