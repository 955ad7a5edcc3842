/**
 * Metrics over HTTP. Repositories are read at most once in `metrics-max-age`, however many ask, and a repository that is slow or away does not
 * keep anybody waiting for what is known already.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { ListenAddress, MetricsOptions } from "../repository/options.ts";
import { look, metricsText, type Sight } from "./metrics_sight.ts";

/** Below the usual time-out of a scrape, 10 s. */
const PATIENCE_MS = 5000;
const HEADERS = { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" };
const PLAIN = { "content-type": "text/plain; charset=utf-8" };

/** Serves until the signal of the context. @throws WalferryError `HostConnect` when the address cannot be listened on */
export async function serveMetrics(
  options: MetricsOptions & { readonly listen: ListenAddress },
  context: CommandContext,
): Promise<void> {
  const { log, signal } = context;
  const watch = new RepositoryWatch(options, context);
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("only GET\n", { status: 405, headers: { ...PLAIN, allow: "GET, HEAD" } });
    }
    if (pathname === "/") return new Response("walferry: the metrics are at /metrics\n", { headers: PLAIN });
    if (pathname !== "/metrics") return new Response("there is only /metrics\n", { status: 404, headers: PLAIN });
    try {
      const text = await metricsText(options.scopes, await watch.seen(), context);
      return new Response(text, { headers: HEADERS });
    } catch (thrown) {
      const error = toWalferryError(thrown);
      log.error(`unable to answer a request for metrics: ${error.text}`, error.code);
      return new Response("the metrics cannot be told; the log says why\n", { status: 500, headers: PLAIN });
    }
  };
  if (signal.aborted) return;
  let server: Deno.HttpServer;
  try {
    server = Deno.serve({
      ...options.listen,
      signal,
      onListen: ({ hostname, port }) => log.info(`metrics at ${hostname}:${port}`),
    }, answer);
  } catch (error) {
    const { hostname, port } = options.listen;
    throw new WalferryError("HostConnect", `unable to listen on ${hostname}:${port}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  await server.finished;
}

/** What is known of the repositories, renewed when somebody asks and it is old. */
class RepositoryWatch {
  readonly #options: MetricsOptions;
  readonly #context: CommandContext;
  #known: readonly Sight[] | undefined;
  #knownMs = -Infinity;
  #reading: Promise<readonly Sight[]> | undefined;

  constructor(options: MetricsOptions, context: CommandContext) {
    this.#options = options;
    this.#context = context;
  }

  async seen(): Promise<readonly Sight[]> {
    const { clock, log, signal } = this.#context;
    if (this.#known !== undefined && clock.monotonicMs() - this.#knownMs < this.#options.maxAgeMs) return this.#known;
    this.#reading ??= this.#read().finally(() => this.#reading = undefined);
    const known = this.#known;
    if (known === undefined) return await this.#reading;
    const patience = new AbortController();
    const reading = this.#reading.then(() => undefined, (thrown) => {
      log.warn(`unable to read the repositories: ${toWalferryError(thrown).text}`);
    }).finally(() => patience.abort());
    // Ends early when there is nothing to wait for any more.
    const waited = clock.sleep(PATIENCE_MS, AbortSignal.any([patience.signal, signal])).catch(() => undefined);
    await Promise.race([reading, waited]);
    // Whichever ended first: the end of the reading ends the waiting too, and may be seen second.
    return this.#known ?? known;
  }

  async #read(): Promise<readonly Sight[]> {
    const { clock } = this.#context;
    const startMs = clock.monotonicMs();
    const seen = await Promise.all(this.#options.scopes.map(({ info }) => look(info, this.#context)));
    this.#known = seen;
    this.#knownMs = startMs;
    return seen;
  }
}
