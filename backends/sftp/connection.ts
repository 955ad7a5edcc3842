/** One connection that is made at first use, used by everybody, and made anew when it is gone. */
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import type { SftpStorageConfig } from "../config.ts";
import { connectionFailure, RequestFailure } from "../request_failure.ts";
import { retrying } from "../retry.ts";
import { STATUS } from "./packets.ts";
import { ConnectionLost, SftpSession, SftpStatusError } from "./session.ts";

export class SftpConnection {
  readonly #config: SftpStorageConfig;
  /** `sftp://user@host:port`. */
  readonly #place: string;
  #session: Promise<SftpSession> | undefined;
  #closed = false;

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
    return await retrying(this.#config.network, signal, () => this.once(what, kind, signal, action));
  }

  /** As {@link run}; what cannot be repeated is tried once, on a connection that is made with all the tries it needs. */
  async once<T>(
    what: string,
    kind: ErrorKind,
    signal: AbortSignal | undefined,
    action: (session: SftpSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.session(signal);
    try {
      return await action(session);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.failure(what, kind, error);
    }
  }

  /** The session in use. @throws WalferryError when there is none to be had */
  async session(signal?: AbortSignal): Promise<SftpSession> {
    const current = this.#session;
    if (current !== undefined) {
      const session = await current.catch(() => undefined);
      if (session?.isAlive) return session;
      if (this.#session === current) this.#session = undefined;
    }
    this.#session ??= retrying(this.#config.network, signal, () => this.#connect());
    return await this.#session;
  }

  async #connect(): Promise<SftpSession> {
    if (this.#closed) throw new WalferryError("Assert", "the storage was closed");
    const what = `unable to connect to '${this.#place}'`;
    const { ioTimeoutMs } = this.#config.network;
    if (this.#config.transport === "ssh2") {
      const { connectSsh2 } = await import("./connect_ssh2.ts");
      return await SftpSession.start(await connectSsh2(this.#config, what), ioTimeoutMs).catch((error) => {
        throw this.failure(what, "HostConnect", error);
      });
    }
    const { connectSystemSsh, systemSshFailure } = await import("./connect_system_ssh.ts");
    const channel = await connectSystemSsh(this.#config);
    try {
      return await SftpSession.start(channel, ioTimeoutMs);
    } catch (error) {
      await channel.close();
      const words = channel.reason();
      throw words === undefined ? this.failure(what, "HostConnect", error) : systemSshFailure(what, words);
    }
  }

  /** What an error of a request means. */
  failure(what: string, kind: ErrorKind, error: unknown): WalferryError {
    if (error instanceof RequestFailure) return error;
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
    this.#closed = true;
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
  }
}
