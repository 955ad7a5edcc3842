/** A TCP proxy that adds latency in each direction, or narrows the way: what a distant server feels like, without its network. */

export class DelayingProxy implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>;

  readonly #bytesPerSecond: number;

  private constructor(listener: Deno.TcpListener, target: number, oneWayMs: number, bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#listener = listener;
    this.port = (listener.addr as Deno.NetAddr).port;
    this.#running = this.#accept(target, oneWayMs);
  }

  /** Starts a proxy before the server at a port of this host. */
  static start(target: number, oneWayMs: number, bytesPerSecond = Infinity): DelayingProxy {
    return new DelayingProxy(Deno.listen({ hostname: "127.0.0.1", port: 0 }), target, oneWayMs, bytesPerSecond);
  }

  async #accept(target: number, oneWayMs: number): Promise<void> {
    const pairs: Promise<unknown>[] = [];
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: target });
      for (const connection of [client, server]) {
        connection.setNoDelay(true);
        this.#connections.add(connection);
      }
      pairs.push(this.#pass(client, server, oneWayMs), this.#pass(server, client, oneWayMs));
    }
    await Promise.all(pairs);
  }

  /** Passes bytes on in order, each a while after it came; any number may be on their way. */
  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, oneWayMs: number): Promise<void> {
    let last: Promise<unknown> = Promise.resolve();
    try {
      const buffer = new Uint8Array(64 * 1024);
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        const bytes = buffer.slice(0, count);
        if (this.#bytesPerSecond !== Infinity) {
          await new Promise((resolve) => setTimeout(resolve, count / this.#bytesPerSecond * 1000));
        }
        const due = new Promise((resolve) => setTimeout(resolve, oneWayMs));
        last = Promise.all([last, due]).then(() => writeAll(to, bytes));
        last.catch(() => undefined);
      }
      await last;
      await to.closeWrite();
    } catch (error) {
      // One side is gone: the other is told.
      if (!(error instanceof Error)) throw error;
      this.#close(from);
      this.#close(to);
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) this.#close(connection);
    await this.#running;
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
