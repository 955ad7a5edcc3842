/**
 * Requests to the services that tell a machine or a container who it is. They are on the host or its link: a proxy for the rest of the world
 * could not reach them, and would hear a secret. So these requests go straight there, whatever HTTP_PROXY says.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { answerText, sendHttpRequest } from "./http_request.ts";

/** Longest answer in bytes: credentials are a few KiB. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface MetadataRequest {
  readonly method?: "GET" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** @throws the socket's error, a `TimeoutError`, or the signal's reason */
export async function askMetadata(
  address: string,
  { method = "GET", headers, timeoutMs, signal }: MetadataRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  const url = new URL(address);
  const isPlain = url.protocol === "http:";
  // Asked once an hour or so: nothing is kept open for the next time.
  const agent = isPlain ? new HttpAgent() : new HttpsAgent();
  const limits = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])];
  const answer = await sendHttpRequest({
    target: {
      protocol: isPlain ? "http:" : "https:",
      // An IPv6 address has its brackets in an address only.
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || (isPlain ? 80 : 443),
    },
    agent,
    method,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, ...headers },
    silenceMs: timeoutMs,
    signal: AbortSignal.any(limits),
  });
  try {
    return { status: answer.status, text: await answerText(answer, ANSWER_BYTES_MAX) };
  } finally {
    agent.destroy();
  }
}
