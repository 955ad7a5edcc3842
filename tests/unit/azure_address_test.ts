/** The address of an Azure container: what makes none is refused in words that hold no secret. */
import { makeClient } from "../../backends/azure/client.ts";
import type { AzureStorageConfig } from "../../backends/config.ts";
import type { WalferryError } from "../../src/errors.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

const SIGNATURE = "sv=2024-01-01&sig=very-secret";

function config(more: Partial<AzureStorageConfig>): AzureStorageConfig {
  return {
    type: "azure",
    path: "/repo",
    account: "account",
    container: "backups",
    endpoint: "http://blob.example",
    uriStyle: "host",
    credentials: { type: "sas", token: SIGNATURE },
    tls: { verify: true },
    tags: new Map(),
    uploadChunkBytes: 4 * 1024 * 1024,
    network: { ioTimeoutMs: 1000, retryMs: 1000 },
    ...more,
  };
}

Deno.test("an account and an endpoint that make no address are named by their options; no token is in the message", async () => {
  const refused: Array<Partial<AzureStorageConfig>> = [
    { endpoint: "http://127.0.0.1" },
    { endpoint: "http://[::1]:10000" },
    { endpoint: "nothing" },
    ...["my account", "my[account", "my#account", "my?account", "me@elsewhere", "elsewhere:80", "elsewhere/"].map((
      account,
    ) => ({ account })),
    ...["my?account", "my#account"].map((account) => ({ account, uriStyle: "path" as const })),
  ];
  for (const more of refused) {
    const { kind, text, cause } = await assertThrows<WalferryError>(() => makeClient(config(more)));
    assertEquals([kind, cause], ["OptionInvalidValue", undefined], JSON.stringify(more));
    for (const name of ["azure-account", "azure-endpoint", "azure-uri-style"]) assertIncludes(text, name);
    assertEquals(text.includes("secret"), false, text);
  }
});

Deno.test("an address with a token opens, whatever the token", () => {
  for (const token of [SIGNATURE, `?${SIGNATURE}`, "%zz", "a b[c]#d\n", ""]) {
    for (const more of [{}, { uriStyle: "path" as const, endpoint: "http://127.0.0.1:10000" }]) {
      const { container, agent } = makeClient(config({ ...more, credentials: { type: "sas", token } }));
      assertEquals([container.containerName, container.accountName], ["backups", "account"]);
      agent.destroy();
    }
  }
});
