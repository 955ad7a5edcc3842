/** Repositories in Azure Blob Storage. */
import { AzureDriver } from "./azure/driver.ts";
import type { AzureStorageConfig } from "./config.ts";
import type { Storage } from "./contract.ts";
import { ObjectStorage } from "./object/object_storage.ts";

/** Opens a store; nothing is asked of it yet. @throws WalferryError when the configured authorities cannot be read */
export function openAzure(config: AzureStorageConfig): Storage {
  return new ObjectStorage(new AzureDriver(config), config);
}
