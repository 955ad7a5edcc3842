/** Repositories in Google Cloud Storage. */
import type { GcsStorageConfig } from "./config.ts";
import type { Storage } from "./contract.ts";
import { GcsDriver } from "./gcs/driver.ts";
import { ObjectStorage } from "./object/object_storage.ts";

/** Opens a store; nothing is asked of it yet. @throws WalferryError when the configured authorities cannot be read */
export function openGcs(config: GcsStorageConfig): Storage {
  return new ObjectStorage(new GcsDriver(config), config);
}
