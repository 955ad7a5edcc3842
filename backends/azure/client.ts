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

/** Makes a client; nothing is sent yet. @throws WalferryError `OptionInvalidValue` for a key that is none */
export function makeClient(config: AzureStorageConfig): AzureClient {
  const endpoint = new URL(config.endpoint);
  const hostName = config.uriStyle === "host" ? `${config.account}.${endpoint.hostname}` : endpoint.hostname;
  const agent = makeAgent(config, hostName);
  const origin = `${endpoint.protocol}//${hostName}${endpoint.port === "" ? "" : `:${endpoint.port}`}`;
  const account = config.uriStyle === "host" ? origin : `${origin}/${config.account}`;
  const { credentials } = config;
  const token = credentials.type === "sas" ? `?${credentials.token.replace(/^\?/, "")}` : "";
  const pipeline = newPipeline(credentialOf(config), {
    // The layer above tries again.
    retryOptions: { maxTries: 1 },
    httpClient: new PipelineClient(config, hostName, agent),
  });
  return {
    container: new ContainerClient(`${account}/${encodeURIComponent(config.container)}${token}`, pipeline),
    agent,
  };
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
