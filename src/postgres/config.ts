/** Where one PostgreSQL cluster is and how to reach it (`pgN-...`). Made once by `src/cli`. */
export interface ClusterConfig {
  /** The N of `pgN`. */
  readonly key: number;
  /** Data directory, absolute. */
  readonly path: string;
  readonly port: number;
  /** Directory of the Unix socket; absent = the client library's search (PGHOST is not read). */
  readonly socketPath?: string;
  /** Absent = name of the operating system user. */
  readonly user?: string;
  readonly database: string;
  /** Where passwords are looked up when the server asks for one and the environment has none; absent = nowhere. */
  readonly passwordFile?: string;
}
