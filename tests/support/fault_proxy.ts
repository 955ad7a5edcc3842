/**
 * A proxy between a client and a real HTTP server that makes trouble as a test wants it: answers instead of the server, cuts, stalls,
 * loses answers, adds latency. Everything that it does not spoil is passed on unchanged, so that signatures stay valid.
 */
import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to one request. */
export type Fault =
  /** The server is not asked. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly body?: string;
    readonly headers?: Record<string, string>;
  }
  /** The server does what it is asked, and the client never hears of it. */
  | { readonly kind: "lose answer" }
  /** The connection ends after so many bytes of the request's content; the server is not asked. */
  | { readonly kind: "cut request"; readonly afterBytes: number }
  /** The connection ends after so many bytes of the answer's content, whose head announced all of it. */
  | { readonly kind: "cut answer"; readonly afterBytes: number }
  /** Nothing is ever answered. */
  | { readonly kind: "stall" }
  /** Everything is passed on later. */
  | { readonly kind: "delay"; readonly milliseconds: number };

/** One request as the proxy saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Bytes of its content. */
  bytes: number;
}

/** Decides on the trouble for a request; `index` counts all requests from 0. */
export type FaultPlan = (request: SeenRequest, index: number) => Fault | undefined;

export class FaultProxy implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Connections that clients made. */
  connections = 0;
  plan: FaultPlan;
  readonly #server: ReturnType<typeof createServer>;
  readonly #target: number;

  private constructor(target: number, plan: FaultPlan) {
    this.#target = target;
    this.plan = plan;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("connection", () => this.connections++);
  }

  /** Starts a proxy before the server at a port of this host. */
  static async start(target: number, plan: FaultPlan = () => undefined): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, plan);
    const { promise, resolve } = Promise.withResolvers<void>();
    proxy.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: SeenRequest = { method: request.method!, url: request.url!, headers: request.headers, bytes: 0 };
    const fault = this.plan(seen, this.requests.push(seen) - 1);
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of request) {
        seen.bytes += chunk.length;
        chunks.push(chunk);
        if (fault?.kind === "cut request" && seen.bytes >= fault.afterBytes) {
          request.socket.destroy();
          return;
        }
      }
    } catch {
      // The client gave up: there is nobody to serve.
      return;
    }
    if (fault?.kind === "stall") return;
    if (fault?.kind === "cut request") return void request.socket.destroy();
    if (fault?.kind === "answer") {
      response.writeHead(fault.status, fault.headers);
      response.end(fault.body ?? "");
      return;
    }
    if (fault?.kind === "delay") await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
    this.#forward(request, chunks, fault, response);
  }

  #forward(
    request: IncomingMessage,
    chunks: readonly Uint8Array[],
    fault: Fault | undefined,
    response: ServerResponse,
  ): void {
    const { method, url: path, headers } = request;
    const upstream = httpRequest({ host: "127.0.0.1", port: this.#target, method, path, headers }, async (answer) => {
      if (fault?.kind === "lose answer") {
        answer.resume();
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.statusCode!, answer.headers);
      let sent = 0;
      for await (const chunk of answer) {
        if (fault?.kind === "cut answer" && sent + chunk.length > fault.afterBytes) {
          response.write(chunk.subarray(0, fault.afterBytes - sent), () => request.socket.destroy());
          answer.destroy();
          return;
        }
        sent += chunk.length;
        if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end();
    });
    upstream.on("error", () => request.socket.destroy());
    for (const chunk of chunks) upstream.write(chunk);
    upstream.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}
