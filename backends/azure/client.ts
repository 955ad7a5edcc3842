/** Microsoft's client as this program wants it: tries once, connects where it is told, reads at the reader's pace. */
import {
  AnonymousCredential,
  ContainerClient,
  type HttpOperationResponse,
  newPipeline,
  StorageSharedKeyCredential,
  type WebResource,
} from "@azure/storage-blob";
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { Readable } from "node:stream";
import { WalferryError } from "../../src/errors.ts";
import type { AzureStorageConfig } from "../config.ts";
import { connectTarget, makeAgent } from "../http_agents.ts";
import { answerText, sendHttpRequest } from "../http_request.ts";
import { ManagedIdentity } from "./managed_identity.ts";

/** A client for the container, and what ends its connections. */
export interface AzureClient {
  readonly container: ContainerClient;
  readonly agent: HttpAgent | HttpsAgent;
}

/**
 * Makes a client; nothing is sent yet.
 * @throws WalferryError `OptionInvalidValue` for a key that is none, and for an account and endpoint that make no address
 */
export function makeClient(config: AzureStorageConfig): AzureClient {
  const { hostName, address } = addressOf(config);
  const agent = makeAgent(config, hostName);
  const { credentials } = config;
  const token = credentials.type === "sas" ? `?${credentials.token.replace(/^\?/, "")}` : "";
  const pipeline = newPipeline(credentialOf(config), {
    // The layer above tries again.
    retryOptions: { maxTries: 1 },
    httpClient: new PipelineClient(config, hostName, agent),
  });
  return { container: new ContainerClient(`${address}${token}`, pipeline), agent };
}

/** The container's address, proved before a token is put behind it: who cannot read an address puts all of it into the message. */
function addressOf(
  { account, container, endpoint, uriStyle }: AzureStorageConfig,
): { readonly hostName: string; readonly address: string } {
  const base = URL.parse(endpoint);
  if (base !== null) {
    const hostName = uriStyle === "host" ? `${account}.${base.hostname}` : base.hostname;
    const origin = `${base.protocol}//${hostName}${base.port === "" ? "" : `:${base.port}`}`;
    const address = `${origin}/${uriStyle === "host" ? "" : `${account}/`}${encodeURIComponent(container)}`;
    const url = URL.parse(address);
    // A sign in the account that ends the host or the path would send the token elsewhere.
    if (url?.hostname === hostName.toLowerCase() && url.search === "" && url.hash === "") return { hostName, address };
  }
  // Account and endpoint count as secrets themselves (behaviour spec §1.8.13).
  throw new WalferryError("OptionInvalidValue", "account and endpoint of the Azure repository make no valid address", {
    hint:
      "check repo-azure-account and repo-azure-endpoint; an endpoint that is an IP address needs repo-azure-uri-style=path.",
  });
}

function credentialOf({ account, credentials, network }: AzureStorageConfig) {
  switch (credentials.type) {
    case "sas":
      return new AnonymousCredential();
    case "auto":
      return new ManagedIdentity(credentials.metadataUrl, network.ioTimeoutMs);
    case "shared":
      if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credentials.key)) {
        throw new WalferryError("OptionInvalidValue", "the key of the storage account is not base64", {
          hint: "check repo-azure-key; a SAS token needs repo-azure-key-type=sas.",
        });
      }
      return new StorageSharedKeyCredential(account, credentials.key);
  }
}

/** Carries the requests of the client. */
class PipelineClient {
  readonly #config: AzureStorageConfig;
  readonly #hostName: string;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(config: AzureStorageConfig, hostName: string, agent: HttpAgent | HttpsAgent) {
    this.#config = config;
    this.#hostName = hostName;
    this.#agent = agent;
  }

  async sendRequest(request: WebResource): Promise<HttpOperationResponse> {
    const url = new URL(request.url);
    const headers: Record<string, string> = { host: url.host };
    for (const { name, value } of request.headers.headersArray()) headers[name.toLowerCase()] = value;
    delete headers["content-length"];
    const answer = await sendHttpRequest({
      target: connectTarget(this.#config, this.#hostName),
      agent: this.#agent,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers,
      body: plainBody(request.body),
      silenceMs: this.#config.network.ioTimeoutMs,
      signal: request.abortSignal as AbortSignal | undefined,
    });
    const answered = request.headers.clone();
    for (const name of answered.headerNames()) answered.remove(name);
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) answered.set(name, Array.isArray(value) ? value.join(", ") : value);
    }
    const result: HttpOperationResponse = { request, status: answer.status, headers: answered };
    const streams = request.streamResponseStatusCodes;
    if (streams?.has(answer.status) || streams?.has(Infinity)) {
      // The content of a blob is watched by whoever reads it; the answer to a batch the client reads by itself, without a limit.
      const body = request.method === "GET" ? answer.body : Readable.from([await answerText(answer)]);
      return { ...result, readableStreamBody: body as unknown as HttpOperationResponse["readableStreamBody"] };
    }
    return { ...result, bodyAsText: await answerText(answer) };
  }
}

/** Everything that this program sends is in memory. */
function plainBody(body: unknown): Uint8Array | string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  throw new WalferryError("Assert", "the content of a request must be bytes or text");
}
