/** Amazon's client as this program wants it: tries once, waits as configured, connects where it is told. */
import { type GetObjectCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import type { S3StorageConfig } from "../config.ts";
import type { DirectRequest } from "../direct_content.ts";
import { WALFERRY_VERSION } from "../../src/version.ts";
import { connectTarget, makeAgent } from "../http_agents.ts";
import { inPieces } from "../http_request.ts";
import { judgeAnswers } from "./answers.ts";
import type { SigningKeySource } from "./credentials.ts";

/** Name of the host that requests for objects go to. */
export function hostNameOf({ endpoint, uriStyle, bucket }: S3StorageConfig): string {
  const { hostname } = new URL(endpoint);
  return uriStyle === "host" ? `${bucket}.${hostname}` : hostname;
}

/** Makes a client; nothing is sent yet. */
export function makeClient(config: S3StorageConfig, keys: SigningKeySource): S3Client {
  const endpoint = new URL(config.endpoint);
  const hostName = hostNameOf(config);
  const agent = makeAgent(config, hostName);
  const settings: S3ClientConfig = {
    endpoint: config.endpoint,
    region: config.region,
    forcePathStyle: config.uriStyle === "path",
    // Keeps and renews by itself; what it gives is not kept a second time.
    credentials: () => keys.keys(),
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Waiting for leave to send a body costs a round trip for each.
    expectContinueHeader: false,
    requestHandler: {
      ...(endpoint.protocol === "http:" ? { httpAgent: agent as HttpAgent } : { httpsAgent: agent as HttpsAgent }),
      connectionTimeout: config.network.ioTimeoutMs,
      socketTimeout: config.network.ioTimeoutMs,
      requestTimeout: 0,
    },
  };
  const client = new S3Client(settings);
  nameOnce(client);
  addContentMd5(client);
  if (endpoint.protocol === "https:" && config.tls.verify) leaveContentUnsigned(client);
  if (config.service !== "s3") signFor(client, config.service);
  sendInPieces(client);
  judgeAnswers(client);
  if (config.connect !== undefined) redirectConnections(client, config, hostName);
  return client;
}

/**
 * Signs requests as a client does, and sends none.
 * @param client whose settings count, that of the time among them
 */
export function makeSigner(client: S3Client): (command: GetObjectCommand) => Promise<DirectRequest> {
  const stack = client.middlewareStack.clone();
  stack.addRelativeTo(
    (() => (args: { readonly request: unknown }) =>
      Promise.resolve({ response: undefined, output: { $metadata: {}, signed: args.request } })) as never,
    { relation: "after", toMiddleware: "httpSigningMiddleware", name: "walferrySigned" },
  );
  return async (command) => {
    const sign = command.resolveMiddleware(stack as never, client.config, {});
    const { output } = await sign(command) as unknown as { readonly output: { readonly signed: SentRequest } };
    const { path, query = {}, headers } = output.signed;
    const words = Object.entries(query).map(([name, value]) =>
      `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`
    );
    return { path: `${path}${words.length === 0 ? "" : `?${words.join("&")}`}`, headers };
  };
}

interface SentRequest {
  hostname: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  port?: number;
  headers: Record<string, string>;
  body?: unknown;
}

/** The client describes itself, its host and its settings anew for every request, which of a small file is a tenth of the work. */
function nameOnce(client: S3Client): void {
  client.middlewareStack.remove("getUserAgentMiddleware");
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as SentRequest).headers["user-agent"] = `walferry/${WALFERRY_VERSION}`;
      return next(args);
    },
    { step: "build", priority: "low", name: "walferryUserAgent" },
  );
}

/** Removing many needs a checksum: Content-MD5 is the one that every store knows; some refuse a request without it. */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as SentRequest;
      if (context.commandName === "DeleteObjectsCommand" && typeof request.body === "string") {
        for (const name of Object.keys(request.headers)) {
          if (/^x-amz-(checksum-|sdk-checksum-)/i.test(name)) delete request.headers[name];
        }
        request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
      }
      return next(args);
    },
    // Behind the client's own checksums, before the signature.
    { step: "build", priority: "low", name: "walferryContentMd5" },
  );
}

/** Requests whose content is worth the look. */
const CONTENT_COMMANDS: ReadonlySet<string> = new Set(["PutObjectCommand", "UploadPartCommand"]);

/**
 * Over TLS the transport proves that content arrives as it was sent, and from whom; a SHA-256 for the signature on top of it costs both
 * sides more than all the rest (measured: 0.56 of a bare PUT with it, 0.80 without). Over plain HTTP the content stays signed.
 */
function leaveContentUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      if (CONTENT_COMMANDS.has(context.commandName ?? "")) {
        (args.request as SentRequest).headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
      }
      return next(args);
    },
    { step: "build", priority: "low", name: "walferryUnsignedContent" },
  );
}

/** Signs for another service than the client's own: S3 on Outposts (`repoN-s3-service`). */
function signFor(client: S3Client, service: string): void {
  const setService = (next: (args: unknown) => unknown, context: { readonly __smithy_context?: SmithyContext }) =>
  (
    args: unknown,
  ) => {
    const chosen = context.__smithy_context?.selectedHttpAuthScheme?.httpAuthOption;
    if (chosen?.signingProperties !== undefined) chosen.signingProperties.signingName = service;
    return next(args);
  };
  // The types of this call know the middlewares of one step only, not those beside a named one.
  client.middlewareStack.addRelativeTo(setService as never, {
    relation: "before",
    toMiddleware: "httpSigningMiddleware",
    name: "walferryService",
  });
}

/** What the client keeps of the way in which it is going to sign. */
interface SmithyContext {
  readonly selectedHttpAuthScheme?: {
    readonly httpAuthOption?: { readonly signingProperties?: { signingName?: string } };
  };
}

/** Each write costs something (measured on pushes of 16 MiB: 2 %, with 256 KiB 3 %); in a minute of silence this is 17 KiB a second. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Sends content piece by piece, once it is signed: the client would hand it to the socket as one write, and only whole writes count as a sign
 * of life. On a slow line a part of many MiB would be given up while it flows.
 */
function sendInPieces(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as SentRequest;
      const { body } = request;
      if (body instanceof Uint8Array && body.length > PIECE_BYTES) {
        request.body = Readable.from(inPieces([body], PIECE_BYTES), { objectMode: false });
      }
      return next(args);
    },
    { step: "deserialize", priority: "low", name: "walferryPieces" },
  );
}

/** Connects elsewhere behind the signature: what is signed, and the name in the certificate, stay those of the endpoint. */
function redirectConnections(client: S3Client, config: S3StorageConfig, hostName: string): void {
  const { host, port } = connectTarget(config, hostName);
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as SentRequest;
      request.hostname = host;
      request.port = port;
      return next(args);
    },
    { step: "deserialize", priority: "low", name: "walferryConnect" },
  );
}
