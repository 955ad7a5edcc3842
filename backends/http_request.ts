/** One HTTP request over Node's client: exact lengths, content that flows at the reader's pace, silence that ends, and an abort that is heard. */
import {
  type Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { ConnectTarget } from "./http_agents.ts";
import { silenceError } from "./request_failure.ts";

/** Content goes out in pieces of this size: only whole writes count as a sign of life, and one of many MiB takes minutes on a slow link. */
const PIECE_BYTES = 256 * 1024;

export interface HttpRequest {
  readonly target: ConnectTarget;
  readonly agent: HttpAgent | HttpsAgent;
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  /** `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Pieces are sent one behind the other, without being joined. */
  readonly body?: Uint8Array | string | readonly Uint8Array[];
  /** Longest silence before the head of the answer, in milliseconds. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read or left; leaving the iteration ends the connection. */
  readonly body: IncomingMessage;
  /** Longest silence, in milliseconds, that was asked for. */
  readonly silenceMs: number;
}

/** Sends a request and gives the answer as soon as its head is there. @throws the socket's error, or the signal's reason */
export function sendHttpRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const { target, agent, method, path, headers, body, silenceMs, signal } = request;
  if (signal?.aborted) return Promise.reject(signal.reason);
  const send = target.protocol === "http:" ? httpRequest : httpsRequest;
  const length = body === undefined ? (method === "PUT" || method === "POST" ? 0 : undefined) : byteLength(body);
  const sent = send({
    agent,
    host: target.host,
    port: target.port,
    method,
    path,
    headers: length === undefined ? headers : { ...headers, "content-length": String(length) },
  }, (answer) => {
    // From here on it is the reader who watches for silence: he may take his time.
    sent.setTimeout(0);
    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer, silenceMs });
  });
  const onAbort = () => {
    reject(signal!.reason);
    sent.destroy();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  sent.on("close", () => signal?.removeEventListener("abort", onAbort));
  sent.setTimeout(silenceMs, () => {
    sent.destroy(silenceError(silenceMs));
  });
  sent.on("error", reject);
  if (typeof body === "string" || body === undefined) sent.end(body);
  else sendPieces(sent, body instanceof Uint8Array ? [body] : body);
  return promise;
}

/** One piece goes out when the one before is with the system. After a failure nobody asks for the next. */
function sendPieces(sent: ClientRequest, chunks: readonly Uint8Array[]): void {
  const pieces = inPieces(chunks);
  const next = (): void => {
    const { done, value } = pieces.next();
    if (done) sent.end();
    else sent.write(value, (error) => error ? undefined : next());
  };
  next();
}

/** Content in pieces (views) that are short enough to be a sign of life each, also on a slow line. */
export function* inPieces(chunks: readonly Uint8Array[], pieceBytes = PIECE_BYTES): Generator<Uint8Array> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes);
  }
}

function byteLength(body: Uint8Array | string | readonly Uint8Array[]): number {
  if (typeof body === "string") return new TextEncoder().encode(body).length;
  return body instanceof Uint8Array ? body.length : body.reduce((sum, { length }) => sum + length, 0);
}

/** The content of a small answer as text. @throws Error when it is longer than `maxBytes`, or nothing comes for too long */
export async function answerText(answer: HttpAnswer, maxBytes = 16 * 1024 * 1024): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const watch = () => setTimeout(() => void answer.body.destroy(silenceError(answer.silenceMs)), answer.silenceMs);
  let timer = watch();
  try {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = watch();
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`an answer longer than ${maxBytes} bytes`);
      text += decoder.decode(chunk, { stream: true });
    }
  } finally {
    clearTimeout(timer);
  }
  return text + decoder.decode();
}
