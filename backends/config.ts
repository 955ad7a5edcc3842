/** What is needed to open a store, as plain values that can cross a thread boundary. Made once by `src/cli`. */

/** How long a store that is reached over the network may take. */
export interface NetworkLimits {
  /** Longest silence of a connection, and longest time to make one, in milliseconds (`io-timeout`). */
  readonly ioTimeoutMs: number;
  /** So long after its first try a request that fails in passing is tried again, in milliseconds. */
  readonly retryMs: number;
}

/** Whom to trust behind `https:` (`repoN-storage-verify-tls`, `-ca-file`, `-ca-path`). */
export interface TlsConfig {
  readonly verify: boolean;
  /** PEM file of authorities, instead of the system's. */
  readonly caFile?: string;
  /** Directory of PEM files of authorities, instead of the system's. */
  readonly caPath?: string;
}

/** What all object stores share. */
export interface ObjectStoreConfig {
  /** Absolute path of the repository's root inside the bucket or container; `/` is all of it. */
  readonly path: string;
  /** Origin to speak to, made of the options for endpoint, host and port: `https://s3.eu-west-1.amazonaws.com:443`. No bucket, no path. */
  readonly endpoint: string;
  /** Connect here instead; the endpoint stays what is signed and what the certificate must name (`repoN-storage-host`, `-port`). */
  readonly connect?: { readonly host: string; readonly port: number };
  readonly tls: TlsConfig;
  /** Tags given to every object written. */
  readonly tags: ReadonlyMap<string, string>;
  /** Bytes of a part of a multi-part upload; content up to this length goes up in one request. */
  readonly uploadChunkBytes: number;
  readonly network: NetworkLimits;
  /** Content that comes by the client before the quicker way is opened (docs/decisions/0023), in bytes; some tens of MiB when absent. */
  readonly directFromBytes?: number;
}

/** A directory of a file system; `cifs` is the same without links and directory syncs. */
export interface PosixStorageConfig {
  readonly type: "posix" | "cifs";
  /** Absolute path of the repository's root. */
  readonly path: string;
  /**
   * Longest time that the file system may take for an answer, in milliseconds; its calls do not block the thread then. Absent: they do, for as
   * long as they take.
   */
  readonly callLimitMs?: number;
}

/** Where the credentials of a container are asked for (the environment of an ECS task or EKS pod says it). */
export interface ContainerCredentials {
  readonly url: string;
  /** File that holds the value of the header `Authorization`; read anew each time. */
  readonly tokenFile?: string;
  readonly token?: string;
}

/** How requests to S3 are signed (`repoN-s3-key-type`). What comes from the environment is read by `src/cli`. */
export type S3Credentials =
  | { readonly type: "shared"; readonly key: string; readonly keySecret: string; readonly token?: string }
  /** Role of the container where there is one, else of the instance (IMDSv2 at `metadataUrl`); `role` names it instead of asking. */
  | {
    readonly type: "auto";
    readonly role?: string;
    readonly container?: ContainerCredentials;
    readonly metadataUrl: string;
  }
  /** AssumeRoleWithWebIdentity at `stsHost`. */
  | { readonly type: "web-id"; readonly stsHost: string; readonly roleArn: string; readonly tokenFile: string }
  | { readonly type: "pod-id"; readonly container: ContainerCredentials }
  /** A program that prints credentials as JSON (AWS `credential_process`). */
  | { readonly type: "process"; readonly command: readonly string[] };

export interface S3StorageConfig extends ObjectStoreConfig {
  readonly type: "s3";
  readonly bucket: string;
  readonly region: string;
  readonly uriStyle: "host" | "path";
  readonly credentials: S3Credentials;
  /** Encryption with this key of the key management service. */
  readonly kmsKeyId?: string;
  /** Encryption with this key, 32 bytes in base64, sent with every request. */
  readonly sseCustomerKey?: string;
  readonly requesterPays: boolean;
  /** Service name in signatures: `s3`, `s3-outposts`. */
  readonly service: string;
  /** The store honours `If-None-Match: *`. Not every compatible one does, and some take it and do not. */
  readonly conditionalWrite: boolean;
}

/** How requests to Azure are signed (`repoN-azure-key-type`). */
export type AzureCredentials =
  | { readonly type: "shared"; readonly key: string }
  | { readonly type: "sas"; readonly token: string }
  /** Managed identity of the machine, asked for at `metadataUrl`. */
  | { readonly type: "auto"; readonly metadataUrl: string };

export interface AzureStorageConfig extends ObjectStoreConfig {
  readonly type: "azure";
  readonly account: string;
  readonly container: string;
  readonly uriStyle: "host" | "path";
  readonly credentials: AzureCredentials;
}

/** Who asks GCS (`repoN-gcs-key-type`). */
export type GcsCredentials =
  /** Path of a service account's JSON key file. */
  | { readonly type: "service"; readonly keyFile: string }
  | { readonly type: "token"; readonly token: string }
  /** The metadata server of the machine. */
  | { readonly type: "auto"; readonly metadataUrl: string };

export interface GcsStorageConfig extends ObjectStoreConfig {
  readonly type: "gcs";
  readonly bucket: string;
  readonly credentials: GcsCredentials;
  /** Project that pays for requests. */
  readonly userProject?: string;
}

export interface SftpStorageConfig {
  readonly type: "sftp";
  /** Absolute path of the repository's root on the host. */
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKeyFile?: string;
  readonly privateKeyPassphrase?: string;
  /** How the key of the host is judged (`repoN-sftp-host-key-check-type`). */
  readonly hostKeyCheck: "strict" | "accept-new" | "fingerprint" | "none";
  /** For `fingerprint`: digest of the host's key, hex in any case, with or without colons; for sha256 also base64 as ssh-keygen prints it. */
  readonly hostFingerprint?: string;
  readonly hostKeyHash?: "md5" | "sha1" | "sha256";
  /** Files of known hosts; absent = the account's and the system's. */
  readonly knownHostFiles?: readonly string[];
  /** Socket of the account's ssh agent (SSH_AUTH_SOCK). */
  readonly agentSocket?: string;
  /** Home directory of the account, where its `.ssh` is. */
  readonly homePath?: string;
  /** `ssh2` = the library inside; `ssh` = the system's ssh program carries the protocol. */
  readonly transport: "ssh2" | "ssh";
  readonly network: NetworkLimits;
}

/** A store that lives and dies with the process: for tests and simulation. */
export interface MemoryStorageConfig {
  readonly type: "memory";
  /** A name for messages. Every opening makes a store of its own; tests that want to share content construct it themselves. */
  readonly path: string;
}

/** A limit on the traffic with a store that all threads of the process keep together. */
export interface RateLimit {
  readonly bytesPerSecond: number;
  /** Eight bytes in which the threads keep their account (rate_limited_storage.ts). */
  readonly account: SharedArrayBuffer;
}

/** Configuration of any store. A new backend adds its own member here and a branch in `open.ts`. */
export type StorageConfig =
  & (
    | PosixStorageConfig
    | S3StorageConfig
    | AzureStorageConfig
    | GcsStorageConfig
    | SftpStorageConfig
    | MemoryStorageConfig
  )
  & { readonly rateLimit?: RateLimit };

/** Whether a store is reached over a network, so that requests wait for it. */
export function isDistant(
  config: StorageConfig,
): config is Extract<StorageConfig, { readonly network: NetworkLimits }> {
  const { type } = config;
  return type !== "posix" && type !== "cifs" && type !== "memory";
}

/** Whether a store is a bucket or container: there as a whole or not at all, unlike a directory, which may be an empty mount point. */
export function isBucket({ type }: StorageConfig): boolean {
  return type === "s3" || type === "azure" || type === "gcs";
}
