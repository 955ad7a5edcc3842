/** Ports for servers of the tests. */

/** First of `count` neighbouring ports of this host that nobody listens on at the moment. */
export function freePorts(count: number): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    // Below the range from which the kernel takes ports for outgoing connections.
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const listeners: Deno.Listener[] = [];
    try {
      for (let port = first; port < first + count; port++) {
        listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
      }
      return first;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    } finally {
      for (const listener of listeners) listener.close();
    }
  }
  throw new Error(`no ${count} neighbouring ports are free`);
}

/** Waits until somebody listens on a port of this host. */
export async function untilListening(port: number, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
