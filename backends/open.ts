/** From configuration to a store. Each backend, and the library that it needs, is loaded only when it is configured. */
import type { StorageConfig } from "./config.ts";
import type { Storage } from "./contract.ts";

/** Opens a store; nothing is asked of it yet. */
export async function openStorage(config: StorageConfig): Promise<Storage> {
  const storage = await openUnlimited(config);
  if (config.rateLimit === undefined) return storage;
  return new (await import("./rate_limited_storage.ts")).RateLimitedStorage(storage, config.rateLimit);
}

async function openUnlimited(config: StorageConfig): Promise<Storage> {
  switch (config.type) {
    case "posix":
    case "cifs":
      return new (await import("./posix.ts")).PosixStorage(config);
    case "s3":
      return (await import("./s3.ts")).openS3(config);
    case "azure":
      return (await import("./azure.ts")).openAzure(config);
    case "gcs":
      return (await import("./gcs.ts")).openGcs(config);
    case "sftp":
      return new (await import("./sftp.ts")).SftpStorage(config);
    case "memory":
      return new (await import("./memory.ts")).MemoryStorage(config);
  }
}
