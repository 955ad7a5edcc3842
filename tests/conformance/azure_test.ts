/** The storage contract over Azure: shared key over plain HTTP and over TLS. */
import { openAzure } from "../../backends/azure.ts";
import { TestFolder } from "../support/accounts.ts";
import { Azurite, AZURITE_PROGRAMS } from "../support/azurite.ts";
import { makeCertificates } from "../support/certificates.ts";
import { everythingRequired, hasProgram } from "../support/requirements.ts";
import { storageSuite } from "./storage_suite.ts";

const missing = AZURITE_PROGRAMS.filter((program) => !hasProgram(program));
if (missing.length > 0 && !everythingRequired) {
  console.log(`SKIPPED azure: missing ${missing.join(", ")}`);
  Deno.test({ name: "azure", ignore: true, fn: () => undefined });
} else {
  let folder: TestFolder;
  const servers: Azurite[] = [];
  Deno.test.beforeAll(async () => {
    folder = await TestFolder.make();
    servers.push(await Azurite.start(), await Azurite.start(await makeCertificates(folder.path)));
  });
  Deno.test.afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  for (const [index, name] of ["azure", "azure over TLS"].entries()) {
    storageSuite(name, async () => {
      const server = servers[index]!;
      const storage = openAzure(server.config(await server.makeContainer()));
      return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
    });
  }
}
