import { MemoryStorage } from "../../backends/memory.ts";
import { storageSuite } from "./storage_suite.ts";

storageSuite("memory", () =>
  Promise.resolve({
    storage: new MemoryStorage({ type: "memory", path: "test" }),
    async [Symbol.asyncDispose]() {},
  }));
