/** A real browser without a window (chromium-headless-shell), steered by its DevTools protocol, and what a page in it asked for and complained about. */
import type { TestFolder } from "./accounts.ts";

/** The program itself: what is in PATH is a script, which a signal would not get beyond. */
export const browserPath = "/usr/lib/chromium/chromium-headless-shell";

/** An object of the protocol; each test knows what it asked for. */
type Reply = Readonly<Record<string, unknown>>;

/** Longer than this no reply takes, milliseconds. */
const DEADLINE_MS = 30_000;

/** A part of the accessibility tree: what a screen reader tells. */
export interface Told {
  readonly role: string;
  readonly name: string;
}

export interface Look {
  readonly widthPixels: number;
  readonly scheme: "light" | "dark";
  readonly media?: "screen" | "print";
}

/** One page of a browser of its own. */
export class TestBrowser implements AsyncDisposable {
  /** Addresses that pages wanted, and what the console and the page's own policy said. */
  readonly requests: string[] = [];
  readonly complaints: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<void>;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #loaded: PromiseWithResolvers<void> | undefined;
  #session: string | undefined;
  #lastId = 0;

  private constructor(child: Deno.ChildProcess, drained: Promise<void>, socket: WebSocket) {
    this.#child = child;
    this.#drained = drained;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the browser has gone"));
    };
  }

  static async start(folder: TestFolder): Promise<TestBrowser> {
    const child = new Deno.Command(browserPath, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        ...["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"],
        `--user-data-dir=${folder.path}/browser`,
      ],
      env: { TZ: "UTC" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const address = Promise.withResolvers<string>();
    const drained = (async () => {
      let said = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        said += text;
        const found = /DevTools listening on (ws:\S+)\s/.exec(said);
        if (found !== null) address.resolve(found[1]!);
      }
      address.reject(new Error(`the browser did not start: ${said}`));
    })();
    const socket = new WebSocket(await address.promise);
    const browser = new TestBrowser(child, drained, socket);
    const open = Promise.withResolvers<void>();
    socket.onopen = () => open.resolve();
    socket.onerror = () => open.reject(new Error("no connection to the browser"));
    await open.promise;
    const { targetId } = await browser.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.call("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = sessionId as string;
    for (const domain of ["Page", "Network", "Log", "Runtime"]) await browser.call(`${domain}.enable`);
    return browser;
  }

  /** Opens an address and waits until it is loaded. */
  async open(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers();
    await this.call("Page.navigate", { url });
    await this.#loaded.promise;
  }

  /** How the page is seen from now on. */
  async look({ widthPixels, scheme, media = "screen" }: Look): Promise<void> {
    const size = { width: widthPixels, height: 900, deviceScaleFactor: 1, mobile: false };
    await this.call("Emulation.setDeviceMetricsOverride", size);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.call("Emulation.setEmulatedMedia", { media, features });
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const reply = await this.call("Runtime.evaluate", { expression, returnByValue: true });
    if (reply["exceptionDetails"] !== undefined) throw new Error(JSON.stringify(reply["exceptionDetails"]));
    return (reply["result"] as { value: T }).value;
  }

  /** The picture of what is in the window, PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(data as string);
  }

  /** Presses and releases the tabulator. */
  async tab(): Promise<void> {
    const key = { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 };
    await this.call("Input.dispatchKeyEvent", { type: "rawKeyDown", ...key });
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...key });
  }

  /** What a screen reader is told of, in the order of the page. */
  async told(): Promise<Told[]> {
    const { nodes } = await this.call("Accessibility.getFullAXTree") as {
      nodes: Array<{ ignored: boolean; role?: { value: string }; name?: { value: string } }>;
    };
    return nodes.filter(({ ignored }) => !ignored).map(({ role, name }) => ({
      role: role?.value ?? "",
      name: name?.value ?? "",
    }));
  }

  async call(method: string, params: Reply = {}): Promise<Reply> {
    const id = ++this.#lastId;
    const reply = Promise.withResolvers<Reply>();
    this.#waiting.set(id, reply);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    const deadline = setTimeout(() => reply.reject(new Error(`no reply to ${method}`)), DEADLINE_MS);
    try {
      return await reply.promise;
    } finally {
      clearTimeout(deadline);
      this.#waiting.delete(id);
    }
  }

  #receive({ id, result, error, method, params }: Reply): void {
    if (typeof id === "number") {
      const waiting = this.#waiting.get(id);
      if (error === undefined) waiting?.resolve(result as Reply);
      else waiting?.reject(new Error(JSON.stringify(error)));
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push((params as { request: { url: string } }).request.url);
    } else if (
      method === "Log.entryAdded" || method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled"
    ) this.complaints.push(JSON.stringify(params));
    else if (method === "Page.loadEventFired") this.#loaded?.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.addEventListener("close", resolve, { once: true }));
    this.#session = undefined;
    try {
      await this.call("Browser.close");
    } catch {
      // It does not listen any more.
      this.#child.kill("SIGKILL");
    }
    await Promise.all([this.#child.status, this.#drained, closed]);
  }
}
