/** One connection that is made at first use, used by everybody, and made anew when it is gone. */
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import type { SftpStorageConfig } from "../config.ts";
import { connectionFailure, RequestFailure } from "../request_failure.ts";
import { retrying } from "../retry.ts";
import { STATUS } from "./packets.ts";
import { CLEANUP_MS, untilAborted } from "./abort.ts";
import { ConnectionLost, type SftpChannel, SftpSession, SftpStatusError } from "./session.ts";

/** True when a connection was ended because of what came over it. */
function isNonsense(error: unknown): error is ConnectionLost & { readonly cause: WalferryError } {
  return error instanceof ConnectionLost && error.cause instanceof WalferryError;
}

/** As an error behind which there is no other try: all of them were made. */
function final(error: unknown): unknown {
  if (!(error instanceof RequestFailure)) return error;
  return new RequestFailure(error.kind, error.message, { transient: false, hint: error.hint, cause: error });
}

export class SftpConnection {
  readonly #config: SftpStorageConfig;
  /** `sftp://user@host:port`. */
  readonly #place: string;
  #session: Promise<SftpSession> | undefined;
  readonly #closing = new AbortController();

  constructor(config: SftpStorageConfig, place: string) {
    this.#config = config;
    this.#place = place;
  }

  /**
   * Runs an action on the connection, again when the connection broke.
   * @param what begins the message of a failure
   * @param kind for refusals of the server that say nothing more exact
   */
  async run<T>(
    what: string,
    kind: ErrorKind,
    signal: AbortSignal | undefined,
    action: (session: SftpSession) => Promise<T>,
  ): Promise<T> {
    return await retrying(this.#config.network, signal, async () => {
      const session = await this.session(signal).catch((error) => {
        throw final(error);
      });
      return await this.on(session, what, kind, signal, action);
    });
  }

  /** As {@link run}; what cannot be repeated is tried once, on a connection that is made with all the tries it needs. */
  async once<T>(
    what: string,
    kind: ErrorKind,
    signal: AbortSignal | undefined,
    action: (session: SftpSession) => Promise<T>,
  ): Promise<T> {
    return await this.on(await this.session(signal), what, kind, signal, action);
  }

  /** Runs an action on a session that the caller holds, once: handles are worth nothing on another. */
  async on<T>(
    session: SftpSession,
    what: string,
    kind: ErrorKind,
    signal: AbortSignal | undefined,
    action: (session: SftpSession) => Promise<T>,
  ): Promise<T> {
    try {
      return await untilAborted(signal, action(session), CLEANUP_MS);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.failure(what, kind, error);
    }
  }

  /**
   * The session in use, made with all the tries that it needs. It is everybody's: the signal ends the waiting of its caller only.
   * @throws WalferryError when there is none to be had
   */
  async session(signal?: AbortSignal): Promise<SftpSession> {
    for (;;) {
      signal?.throwIfAborted();
      const current = this.#session ??= this.#begin();
      const session = await untilAborted(signal, current);
      if (session.isAlive) return session;
      if (this.#session === current) this.#session = undefined;
    }
  }

  #begin(): Promise<SftpSession> {
    const made: Promise<SftpSession> = retrying(this.#config.network, this.#closing.signal, () => this.#connect());
    // Those who wait for it hear why; whoever comes later begins anew.
    made.catch(() => {
      if (this.#session === made) this.#session = undefined;
    });
    return made;
  }

  async #connect(): Promise<SftpSession> {
    const what = `unable to connect to '${this.#place}'`;
    const { signal } = this.#closing;
    try {
      if (this.#config.transport === "ssh2") {
        const { connectSsh2 } = await import("./connect_ssh2.ts");
        return await this.#greet(await connectSsh2(this.#config, what, signal));
      }
      const { connectSystemSsh, systemSshFailure } = await import("./connect_system_ssh.ts");
      const channel = await connectSystemSsh(this.#config);
      try {
        return await this.#greet(channel);
      } catch (error) {
        await channel.close();
        const words = channel.reason();
        throw words === undefined || isNonsense(error) ? error : systemSshFailure(what, words);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw this.failure(what, "HostConnect", error);
    }
  }

  async #greet(channel: SftpChannel): Promise<SftpSession> {
    const { signal } = this.#closing;
    const end = () => void channel.close();
    signal.addEventListener("abort", end);
    try {
      if (signal.aborted) end();
      return await SftpSession.start(channel, this.#config.network.ioTimeoutMs);
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  /** What an error of a request means. */
  failure(what: string, kind: ErrorKind, error: unknown): WalferryError {
    if (error instanceof RequestFailure) return error;
    // What a server says that speaks nonsense does not get better by asking again.
    if (isNonsense(error)) return this.failure(what, kind, error.cause);
    if (error instanceof WalferryError) {
      return new RequestFailure(error.kind, `${what}: ${error.message}`, {
        transient: false,
        hint: error.hint,
        cause: error,
      });
    }
    if (error instanceof SftpStatusError) {
      const denied = error.status === STATUS.permissionDenied;
      return new RequestFailure(denied ? "Access" : kind, `${what}: ${error.message}`, {
        transient: error.status === STATUS.noConnection || error.status === STATUS.connectionLost,
        hint: denied
          ? "may the account on the host write there? Check repo-path, its owner and its mode."
          : error.status === STATUS.failure
          ? "the host says no more: is its disk full, is there something else under this name?"
          : undefined,
        cause: error,
      });
    }
    if (error instanceof ConnectionLost) {
      return connectionFailure(what, error) ??
        new RequestFailure("Service", `${what}: ${error.message}`, { transient: true, cause: error });
    }
    return connectionFailure(what, error) ??
      new RequestFailure("Protocol", `${what}: ${error instanceof Error ? error.message : String(error)}`, {
        transient: false,
        cause: error,
      });
  }

  async close(): Promise<void> {
    this.#closing.abort(new WalferryError("Assert", "the storage was closed"));
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
  }
}
