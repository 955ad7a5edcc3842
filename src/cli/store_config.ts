/** From the effective configuration to where a repository is and how it is reached. */
import type {
  AzureCredentials,
  ContainerCredentials,
  GcsCredentials,
  NetworkLimits,
  ObjectStoreConfig,
  RateLimit,
  S3Credentials,
  SftpStorageConfig,
  StorageConfig,
} from "../../backends/config.ts";
import { WalferryError } from "../errors.ts";
import type { Configuration } from "./configuration.ts";

/** Smallest and usual part of an upload in bytes (behaviour spec §9.2). */
const UPLOAD_CHUNK: Readonly<Record<"s3" | "azure" | "gcs", number>> = {
  s3: 5 * 1024 * 1024,
  azure: 4 * 1024 * 1024,
  gcs: 4 * 1024 * 1024,
};
/** Metadata servers of instances: link-local addresses that the providers document. */
const AWS_METADATA = "http://169.254.169.254";
const AZURE_METADATA = "http://169.254.169.254";
const GCS_METADATA = "http://metadata.google.internal";
/** Where the containers of an ECS task ask for credentials when only a path is given. */
const ECS_CREDENTIALS = "http://169.254.170.2";

/** Options of one repository, read by their names without `repo-`. */
class RepositoryOptions {
  readonly #config: Configuration;
  readonly key: number;

  constructor(config: Configuration, key: number) {
    this.#config = config;
    this.key = key;
  }

  string(name: string): string {
    return this.#config.string(`repo-${name}`, this.key);
  }
  optionalString(name: string): string | undefined {
    return this.#config.optionalString(`repo-${name}`, this.key);
  }
  boolean(name: string): boolean {
    return this.#config.boolean(`repo-${name}`, this.key);
  }
  optionalBoolean(name: string): boolean | undefined {
    return this.#config.optionalBoolean(`repo-${name}`, this.key);
  }
  optionalNumber(name: string): number | undefined {
    return this.#config.optionalNumber(`repo-${name}`, this.key);
  }
  list(name: string): readonly string[] | undefined {
    return this.#config.option(`repo-${name}`, this.key)?.value as readonly string[] | undefined;
  }
  hash(name: string): ReadonlyMap<string, string> {
    return (this.#config.option(`repo-${name}`, this.key)?.value as ReadonlyMap<string, string> | undefined) ??
      new Map();
  }
  environment(name: string): string | undefined {
    return this.#config.environment(name);
  }
  missing(name: string): never {
    this.#config.missing(`repo-${name}`, this.key);
  }
  /** An option whose value is no good. */
  invalid(name: string, shown: string, hint: string): WalferryError {
    return new WalferryError("OptionInvalidValue", `'${shown}' is not valid for 'repo${this.key}-${name}' option`, {
      hint,
    });
  }
}

/** Where repository `key` is. @throws WalferryError `OptionRequired`, `OptionInvalidValue` */
export function storageConfig(config: Configuration, key: number): StorageConfig {
  return { ...placeOf(config, new RepositoryOptions(config, key)), rateLimit: rateLimit(config, key) };
}

function placeOf(config: Configuration, options: RepositoryOptions): StorageConfig {
  const type = options.string("type");
  const path = options.string("path");
  switch (type) {
    case "posix":
    case "cifs":
      return { type, path };
    case "s3":
      return {
        type,
        bucket: bucketOf(options),
        ...objectStore(config, options, "s3", options.string("s3-endpoint")),
        region: options.string("s3-region"),
        uriStyle: options.string("s3-uri-style") === "path" ? "path" : "host",
        credentials: s3Credentials(options),
        kmsKeyId: options.optionalString("s3-kms-key-id"),
        sseCustomerKey: customerKey(options),
        requesterPays: options.boolean("s3-requester-pays"),
        service: options.string("s3-service"),
        conditionalWrite: options.optionalBoolean("s3-conditional-write") ??
          endpointUrl(options, "s3-endpoint", options.string("s3-endpoint")).hostname.endsWith(".amazonaws.com"),
      };
    case "azure":
      return {
        type,
        account: options.string("azure-account"),
        container: options.string("azure-container"),
        ...objectStore(config, options, "azure", options.string("azure-endpoint")),
        uriStyle: options.string("azure-uri-style") === "path" ? "path" : "host",
        credentials: azureCredentials(options),
      };
    case "gcs":
      return {
        type,
        bucket: options.string("gcs-bucket"),
        ...objectStore(config, options, "gcs", options.string("gcs-endpoint")),
        credentials: gcsCredentials(options),
        userProject: options.optionalString("gcs-user-project"),
      };
    case "sftp":
      return sftpStore(config, options, path);
    default:
      throw options.invalid("type", type, "there is no such store.");
  }
}

/** Archive commands may take as long as PostgreSQL may wait for them; all others as long as one operation may. */
function networkLimits(config: Configuration): NetworkLimits {
  const ioTimeoutMs = config.number("io-timeout");
  const archives = config.command === "archive-push" || config.command === "archive-get";
  return { ioTimeoutMs, retryMs: archives ? config.number("archive-timeout") : ioTimeoutMs };
}

function rateLimit(config: Configuration, key: number): RateLimit | undefined {
  const bytesPerSecond = config.optionalNumber("repo-max-rate", key) ?? config.optionalNumber("max-rate");
  return bytesPerSecond === undefined ? undefined : { bytesPerSecond, account: new SharedArrayBuffer(8) };
}

function objectStore(
  config: Configuration,
  options: RepositoryOptions,
  store: "s3" | "azure" | "gcs",
  endpoint: string,
): ObjectStoreConfig {
  const url = endpointUrl(options, `${store}-endpoint`, endpoint);
  const hasConnect = store !== "gcs";
  const host = hasConnect ? options.optionalString("storage-host") : undefined;
  const port = hasConnect ? options.optionalNumber("storage-port") : undefined;
  const connect = host === undefined ? undefined : endpointUrl(options, "storage-host", host);
  // A plain http:// in front of either says how the store is reached.
  if (connect?.protocol === "http:" && !endpoint.startsWith("https:")) url.protocol = "http:";
  if (connect === undefined && port !== undefined) url.port = String(port);
  const usualPort = ({ port, protocol }: URL) => (port !== "" ? Number(port) : protocol === "http:" ? 80 : 443);
  return {
    path: options.string("path"),
    endpoint: url.origin,
    connect: connect === undefined ? undefined : { host: connect.hostname, port: port ?? usualPort(connect) },
    tls: {
      verify: options.boolean("storage-verify-tls"),
      caFile: options.optionalString("storage-ca-file"),
      caPath: options.optionalString("storage-ca-path"),
    },
    tags: options.hash("storage-tag"),
    uploadChunkBytes: Math.max(UPLOAD_CHUNK[store], options.optionalNumber("storage-upload-chunk-size") ?? 0),
    network: networkLimits(config),
  };
}

/** `host`, `host:port`, with or without `http://` or `https://` in front. */
function endpointUrl(options: RepositoryOptions, name: string, text: string): URL {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`);
  // A path, a user or a query would be left out silently.
  if (url === null || url.pathname !== "/" || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw options.invalid(
      name,
      name.startsWith("azure") ? "<redacted>" : text.replace(/\/\/[^/@]*@/, "//<redacted>@"),
      "a host name is expected, with a port where it is not the usual one: s3.example.com:9000.",
    );
  }
  return url;
}

function bucketOf(options: RepositoryOptions): string {
  const bucket = options.string("s3-bucket");
  const isHostStyle = options.string("s3-uri-style") === "host";
  if (bucket.includes(".") && isHostStyle && options.boolean("storage-verify-tls")) {
    throw options.invalid(
      "s3-bucket",
      bucket,
      "TLS certificates do not fit a bucket name with dots in the host name: set repo-s3-uri-style=path, or choose another bucket.",
    );
  }
  return bucket;
}

/** The key as base64 of 32 bytes, which is what AES-256 needs. */
function customerKey(options: RepositoryOptions): string | undefined {
  const text = options.optionalString("s3-sse-customer-key");
  if (text === undefined) return undefined;
  let length = 0;
  try {
    length = Uint8Array.fromBase64(text).length;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (length !== 32) {
    throw options.invalid("s3-sse-customer-key", "<redacted>", "base64 of exactly 32 bytes is expected.");
  }
  return text;
}

function s3Credentials(options: RepositoryOptions): S3Credentials {
  switch (options.string("s3-key-type")) {
    case "auto":
      return {
        type: "auto",
        role: options.optionalString("s3-role"),
        container: containerCredentials(options),
        metadataUrl: options.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? AWS_METADATA,
      };
    case "pod-id":
      return {
        type: "pod-id",
        container: containerCredentials(options) ?? notInEnvironment("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
      };
    case "web-id":
      return {
        type: "web-id",
        stsHost: options.string("s3-sts-host"),
        roleArn: options.environment("AWS_ROLE_ARN") ?? notInEnvironment("AWS_ROLE_ARN"),
        tokenFile: options.environment("AWS_WEB_IDENTITY_TOKEN_FILE") ??
          notInEnvironment("AWS_WEB_IDENTITY_TOKEN_FILE"),
      };
    case "process":
      return { type: "process", command: options.list("s3-process-cmd") ?? options.missing("s3-process-cmd") };
    default:
      return {
        type: "shared",
        key: options.string("s3-key"),
        keySecret: options.string("s3-key-secret"),
        token: options.optionalString("s3-token"),
      };
  }
}

function notInEnvironment(name: string): never {
  throw new WalferryError("OptionRequired", `environment variable ${name} is not set`, {
    hint: "repo-s3-key-type needs the environment that EKS or ECS gives to its containers.",
  });
}

function containerCredentials(options: RepositoryOptions): ContainerCredentials | undefined {
  const full = options.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  const relative = options.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const url = relative === undefined ? full : `${ECS_CREDENTIALS}${relative}`;
  return url === undefined ? undefined : {
    url,
    tokenFile: options.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    token: options.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
  };
}

function azureCredentials(options: RepositoryOptions): AzureCredentials {
  switch (options.string("azure-key-type")) {
    case "auto":
      return { type: "auto", metadataUrl: AZURE_METADATA };
    case "sas":
      return { type: "sas", token: options.string("azure-key") };
    default:
      return { type: "shared", key: options.string("azure-key") };
  }
}

function gcsCredentials(options: RepositoryOptions): GcsCredentials {
  switch (options.string("gcs-key-type")) {
    case "auto": {
      const host = options.environment("GCE_METADATA_HOST");
      return { type: "auto", metadataUrl: host === undefined ? GCS_METADATA : `http://${host}` };
    }
    case "token":
      return { type: "token", token: options.string("gcs-key") };
    default:
      return { type: "service", keyFile: options.string("gcs-key") };
  }
}

function sftpStore(config: Configuration, options: RepositoryOptions, path: string): SftpStorageConfig {
  const host = options.string("sftp-host");
  const user = options.string("sftp-host-user");
  const hostKeyCheck = options.string("sftp-host-key-check-type") as SftpStorageConfig["hostKeyCheck"];
  const fingerprint = options.optionalString("sftp-host-fingerprint");
  if (hostKeyCheck === "fingerprint" && fingerprint === undefined) options.missing("sftp-host-fingerprint");
  if (hostKeyCheck === "fingerprint") options.string("sftp-host-key-hash-type");
  if (hostKeyCheck !== "fingerprint" && fingerprint !== undefined) {
    throw new WalferryError(
      "OptionInvalid",
      `option 'repo${options.key}-sftp-host-fingerprint' not valid without option 'repo${options.key}-sftp-host-key-check-type' = 'fingerprint'`,
    );
  }
  const agentSocket = options.environment("SSH_AUTH_SOCK");
  const privateKeyFile = options.optionalString("sftp-private-key-file");
  const transport = options.string("sftp-transport") === "ssh" ? "ssh" : "ssh2";
  // The system's client finds its keys by itself.
  if (transport === "ssh2" && agentSocket === undefined && privateKeyFile === undefined) {
    options.missing("sftp-private-key-file");
  }
  return {
    type: "sftp",
    path,
    host,
    port: options.optionalNumber("sftp-host-port") ?? 22,
    user,
    privateKeyFile,
    privateKeyPassphrase: options.optionalString("sftp-private-key-passphrase"),
    hostKeyCheck,
    hostFingerprint: fingerprint,
    hostKeyHash: options.optionalString("sftp-host-key-hash-type") as SftpStorageConfig["hostKeyHash"],
    knownHostFiles: options.list("sftp-known-host"),
    agentSocket,
    homePath: options.environment("HOME"),
    transport,
    network: networkLimits(config),
  };
}

/** What must not be the same in two repositories, as text; secrets are not in it. */
export function placeName(storage: StorageConfig): string {
  switch (storage.type) {
    case "posix":
    case "cifs":
    case "memory":
      return storage.path;
    case "s3":
      return `s3://${storage.bucket}${storage.path} at ${storage.endpoint}`;
    case "gcs":
      return `gs://${storage.bucket}${storage.path} at ${storage.endpoint}`;
    case "azure":
      return `azure://${storage.container}${storage.path}`;
    case "sftp":
      return `sftp://${storage.user}@${storage.host}:${storage.port}${storage.path}`;
  }
}
