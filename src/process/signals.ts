/** Signals that ask the program to end, as an `AbortSignal`. */
import { WalferryError } from "../errors.ts";
import { exitWith } from "./self.ts";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/**
 * Signals within this time are one wish: `timeout` tells the process and then its group, a closing terminal sends two kinds, and ending at
 * once would skip the cleaning up.
 */
const ONE_WISH_MS = 1000;

/**
 * Aborts with a `Term` error on the first of SIGTERM, SIGINT, SIGHUP. Disposing removes the listeners; one more signal a second later, while
 * the first is still being worked on, ends the process at once.
 * @param secondExitCode code of that end
 */
export function listenForSignals(secondExitCode: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let firstMs = 0;
  const listeners = SIGNALS.map((name) => {
    const listener = () => {
      const nowMs = performance.now();
      if (!controller.signal.aborted) {
        firstMs = nowMs;
        controller.abort(new WalferryError("Term", `terminated on signal ${name}`));
      } else if (nowMs - firstMs > ONE_WISH_MS) {
        exitWith(secondExitCode);
      }
    };
    Deno.addSignalListener(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}
