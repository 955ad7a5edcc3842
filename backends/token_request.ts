/**
 * Requests to the services that give credentials for others, somewhere in the world: a proxy for the world may lead to them, and whom the
 * store's configuration trusts is trusted there too, beside the authorities of the runtime.
 */
import type { TlsConfig } from "./config.ts";
import { readAuthorities } from "./http_agents.ts";

/** @throws WalferryError when the authorities cannot be read; the runtime's own error; the signal's reason */
export async function askForToken(
  url: string,
  body: URLSearchParams,
  tls: TlsConfig,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  // Asked once an hour or so: nothing is kept open for the next time.
  using client = Deno.createHttpClient({ caCerts: url.startsWith("https:") ? readAuthorities(tls) : undefined });
  const response = await fetch(url, { method: "POST", body, redirect: "manual", signal, client });
  return { status: response.status, text: await response.text() };
}
