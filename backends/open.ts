/** From configuration to a store. Each backend is loaded only when it is configured. */
import type { StorageConfig } from "./config.ts";
import type { Storage } from "./contract.ts";

/** Opens a store; nothing is asked of it yet. */
export async function openStorage(config: StorageConfig): Promise<Storage> {
  switch (config.type) {
    case "posix":
    case "cifs":
      return new (await import("./posix.ts")).PosixStorage(config);
    case "memory":
      return new (await import("./memory.ts")).MemoryStorage(config);
  }
}
