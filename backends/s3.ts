/** Repositories in S3 and in stores that speak its language. */
import type { S3StorageConfig } from "./config.ts";
import type { Storage } from "./contract.ts";
import { ObjectStorage } from "./object/object_storage.ts";
import { S3Driver } from "./s3/driver.ts";

/** Opens a store; nothing is asked of it yet. @throws WalferryError when the configured authorities cannot be read */
export function openS3(config: S3StorageConfig): Storage {
  return new ObjectStorage(new S3Driver(config), config);
}
