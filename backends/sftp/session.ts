/**
 * An SFTP session over a byte channel: requests by number, any number of them on their way at once, answers in any order. Latency is
 * paid once for many requests, not for each.
 */
import { WalferryError } from "../../src/errors.ts";
import { silenceError } from "../request_failure.ts";
import { type Field, makePacket, PACKET, PacketReader, STATUS } from "./packets.ts";

/** The two directions of a connection to a server's SFTP subsystem. */
export interface SftpChannel {
  /** Sends bytes; resolves when there is room for more. */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** What comes in, until the connection ends. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Why the connection ended, where the transport knows more than that it did. */
  reason(): string | undefined;
  close(): Promise<void>;
}

/** The connection is gone: what was asked may or may not have been done. */
export class ConnectionLost extends Error {}

/** The server answered that it could not do it. */
export class SftpStatusError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Version 3 is what every server speaks. */
const VERSION = 3;
/** Largest packet that is accepted; OpenSSH sends 256 KiB and a little at most. */
const PACKET_BYTES_MAX = 1024 * 1024;

interface Pending {
  readonly resolve: (answer: { type: number; content: PacketReader }) => void;
  readonly reject: (error: Error) => void;
}

export class SftpSession {
  readonly #channel: SftpChannel;
  readonly #silenceMs: number;
  readonly #pending = new Map<number, Pending>();
  #extensions: ReadonlyMap<string, string> = new Map();
  #nextId = 1;
  #lost: ConnectionLost | undefined;
  #lastHeardMs = performance.now();
  #watch: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<void> | undefined;

  private constructor(channel: SftpChannel, silenceMs: number) {
    this.#channel = channel;
    this.#silenceMs = silenceMs;
  }

  /** Agrees with the server on the version. @throws ConnectionLost, WalferryError `Protocol` */
  static async start(channel: SftpChannel, silenceMs: number): Promise<SftpSession> {
    const session = new SftpSession(channel, silenceMs);
    const greeting = new Promise<{ type: number; content: PacketReader }>((resolve, reject) =>
      // The answer to the greeting carries its version where others carry their number.
      session.#pending.set(VERSION, { resolve, reject })
    );
    session.#reading = session.#readAll();
    session.#watchSilence();
    // Whoever waits for the greeting hears of a connection that ends.
    channel.send([makePacket(PACKET.init, undefined, [{ u32: VERSION }])]).catch((error) => session.#end(error));
    const { type, content } = await greeting;
    if (type !== PACKET.version) {
      await session.close();
      throw new WalferryError("Protocol", "the server does not speak SFTP version 3");
    }
    const extensions = new Map<string, string>();
    while (!content.isAtEnd) extensions.set(content.text(), content.text());
    session.#extensions = extensions;
    session.#nextId = VERSION + 1;
    return session;
  }

  /** Whether the server offers an extension: `fsync@openssh.com`. */
  offers(extension: string): boolean {
    return this.#extensions.has(extension);
  }

  /** False once the connection is gone. */
  get isAlive(): boolean {
    return this.#lost === undefined;
  }

  /**
   * Sends a request and gives the fields of its answer.
   * @param expected kind of the answer when it is no status; a status other than ok is thrown
   * @throws SftpStatusError, ConnectionLost
   */
  async request(
    type: number,
    fields: readonly Field[],
    expected: number,
    content?: Uint8Array,
  ): Promise<PacketReader> {
    const answer = await this.#exchange(type, fields, content);
    if (answer.type === PACKET.status) {
      const status = answer.content.u32();
      if (status !== STATUS.ok || expected !== PACKET.status) {
        throw new SftpStatusError(status, answer.content.isAtEnd ? `status ${status}` : answer.content.text());
      }
    } else if (answer.type !== expected) {
      throw new WalferryError("Protocol", `the SFTP server answered ${answer.type} instead of ${expected}`);
    }
    return answer.content;
  }

  async #exchange(
    type: number,
    fields: readonly Field[],
    content: Uint8Array | undefined,
  ): Promise<{ type: number; content: PacketReader }> {
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    const { promise, resolve, reject } = Promise.withResolvers<{ type: number; content: PacketReader }>();
    this.#pending.set(id, { resolve, reject });
    this.#watchSilence();
    const all = content === undefined ? fields : [...fields, { u32: content.length }];
    const packet = makePacket(type, id, all, content?.length ?? 0);
    // Whoever waits for the answer hears of a connection that ends.
    this.#channel.send(content === undefined ? [packet] : [packet, content]).catch((error) => this.#end(error));
    return await promise;
  }

  async #readAll(): Promise<void> {
    try {
      for await (const packet of packets(this.#channel.incoming)) {
        this.#lastHeardMs = performance.now();
        this.#deliver(packet);
      }
      this.#end(undefined);
    } catch (error) {
      this.#end(error);
    }
  }

  #deliver(packet: Uint8Array): void {
    const content = new PacketReader(packet);
    const type = content.u8();
    const id = content.u32();
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) clearTimeout(this.#watch);
    pending?.resolve({ type, content });
  }

  /** Ends the connection when something is asked and nothing is heard for too long. */
  #watchSilence(): void {
    if (this.#pending.size !== 1) return;
    this.#lastHeardMs = performance.now();
    const look = (waitMs: number) => {
      this.#watch = setTimeout(() => {
        const silentMs = performance.now() - this.#lastHeardMs;
        if (silentMs < this.#silenceMs) look(this.#silenceMs - silentMs);
        else this.#end(silenceError(this.#silenceMs));
      }, waitMs);
    };
    clearTimeout(this.#watch);
    look(this.#silenceMs);
  }

  #end(cause: unknown): void {
    if (this.#lost !== undefined) return;
    clearTimeout(this.#watch);
    const why = this.#channel.reason() ?? (cause instanceof Error ? cause.message : undefined);
    this.#lost = new ConnectionLost(`the connection ended${why === undefined ? "" : `: ${why}`}`, { cause });
    for (const { reject } of this.#pending.values()) reject(this.#lost);
    this.#pending.clear();
    void this.#channel.close();
  }

  /** Ends the session. */
  async close(): Promise<void> {
    this.#end(new Error("it was closed"));
    await this.#channel.close();
    await this.#reading;
  }
}

/** Cuts a byte stream into packets, without their length. */
async function* packets(incoming: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  const take = (count: number): Uint8Array => {
    const first = chunks[0]!;
    held -= count;
    if (first.length >= count) {
      if (first.length === count) chunks.shift();
      else chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const whole = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = chunks[0]!;
      const part = chunk.subarray(0, count - filled);
      whole.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) chunks = chunks.slice(1);
      else chunks[0] = chunk.subarray(part.length);
    }
    return whole;
  };
  let wanted: number | undefined;
  for await (const chunk of incoming) {
    if (chunk.length === 0) continue;
    chunks.push(chunk);
    held += chunk.length;
    for (;;) {
      if (wanted === undefined) {
        if (held < 4) break;
        const length = take(4);
        wanted = new DataView(length.buffer, length.byteOffset, 4).getUint32(0);
        if (wanted < 1 || wanted > PACKET_BYTES_MAX) {
          throw new WalferryError(
            "Protocol",
            `an SFTP packet of ${wanted} bytes: does something print text when one logs in?`,
          );
        }
      }
      if (held < wanted) break;
      yield take(wanted);
      wanted = undefined;
    }
  }
}
