/** Signals that ask the program to end, as an `AbortSignal`. */
import { WalferryError } from "../errors.ts";
import { exitWith } from "./self.ts";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * Aborts with a `Term` error on the first of SIGTERM, SIGINT, SIGHUP. Disposing removes the listeners; a second signal while the first is
 * being worked on ends the process at once.
 * @param secondExitCode code of that end
 */
export function listenForSignals(secondExitCode: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const listeners = SIGNALS.map((name) => {
    const listener = () => {
      const error = new WalferryError("Term", `terminated on signal ${name}`);
      if (controller.signal.aborted) exitWith(secondExitCode);
      controller.abort(error);
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
