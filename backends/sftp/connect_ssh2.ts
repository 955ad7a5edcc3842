/** A connection by the ssh2 library: nothing but this executable is needed. */
import { createPrivateKey } from "node:crypto";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import { WalferryError } from "../../src/errors.ts";
import type { SftpStorageConfig } from "../config.ts";
import { connectionFailure, RequestFailure, socketError } from "../request_failure.ts";
import { untilAborted } from "./abort.ts";
import { HostKeyJudge } from "./host_keys.ts";
import type { SftpChannel } from "./session.ts";

/**
 * Connects, authenticates and opens the SFTP subsystem.
 * @param signal ends what is under way
 * @throws WalferryError
 */
export async function connectSsh2(config: SftpStorageConfig, what: string, signal: AbortSignal): Promise<SftpChannel> {
  const { default: ssh2 } = await import("ssh2");
  const judge = new HostKeyJudge(config);
  const privateKey = readPrivateKey(config, ssh2.utils.parseKey);
  const settings: ConnectConfig = {
    host: config.host,
    port: config.port,
    username: config.user,
    privateKey,
    passphrase: config.privateKeyPassphrase,
    agent: config.agentSocket,
    readyTimeout: config.network.ioTimeoutMs,
  };
  const algorithms = judge.algorithms;
  if (algorithms !== undefined) settings.algorithms = { serverHostKey: algorithms as never };
  let verdict: WalferryError | undefined;
  settings.hostVerifier = (key: Uint8Array) => {
    verdict = judge.judge(new Uint8Array(key));
    return verdict === undefined;
  };
  const client = new ssh2.Client();
  try {
    const stream = await openSubsystem(client, settings, signal);
    return channelOf(client, stream);
  } catch (error) {
    client.destroy();
    throw verdict === undefined ? connectFailure(config, what, error) : located(verdict, what);
  }
}

async function openSubsystem(
  client: Client,
  settings: ConnectConfig,
  signal: AbortSignal,
): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  client.on("error", reject);
  client.on("close", () => reject(socketError("ECONNRESET", "the connection was closed")));
  client.on("ready", () => {
    // Small packets would wait for each other's acknowledgement otherwise: 20 times slower.
    client.setNoDelay(true);
    // The library's own limit ends with the authentication.
    const silentMs = settings.readyTimeout!;
    timer = setTimeout(
      () => reject(Object.assign(new Error(`no channel after ${silentMs} ms`), { level: "client-timeout" })),
      silentMs,
    );
    client.subsys("sftp", (error, stream) => (error === undefined ? resolve(stream) : reject(error)));
  });
  client.connect(settings);
  try {
    return await untilAborted(signal, promise);
  } finally {
    clearTimeout(timer);
  }
}

function channelOf(client: Client, stream: ClientChannel): SftpChannel {
  let reason: string | undefined;
  client.on("error", (error) => reason ??= error.message);
  const closed = Promise.withResolvers<void>();
  client.on("close", () => {
    // A subsystem that the connection took with it does not end by itself.
    stream.destroy();
    closed.resolve();
  });
  // A destroyed stream tells its reader; its error would otherwise be nobody's.
  stream.on("error", (error: Error) => reason ??= error.message);
  let drained: PromiseWithResolvers<void> | undefined;
  stream.on("drain", () => {
    drained?.resolve();
    drained = undefined;
  });
  stream.on("close", () => drained?.resolve());
  return {
    async send(parts) {
      let room = true;
      for (const part of parts) room = stream.write(part);
      if (!room && !stream.destroyed) await (drained ??= Promise.withResolvers<void>()).promise;
    },
    incoming: plainBytes(stream),
    reason: () => reason,
    async close() {
      // Not `end` before: the library takes what ends for ended, and a host that is silent would then be waited for without limit.
      client.destroy();
      await closed.promise;
    },
  };
}

/** The library gives Node's Buffer, whose `slice` means something else than that of the array type it extends. */
async function* plainBytes(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
}

/** The private key in a form that the library takes; it is tried before anything is asked of the network. */
function readPrivateKey(
  { privateKeyFile, privateKeyPassphrase }: SftpStorageConfig,
  parse: (data: string, passphrase?: string) => unknown,
): string | undefined {
  if (privateKeyFile === undefined) return undefined;
  let text: string;
  try {
    text = Deno.readTextFileSync(privateKeyFile);
  } catch (error) {
    throw new WalferryError(
      "FileOpen",
      `unable to open file '${privateKeyFile}' for read: ${(error as Error).message}`,
      {
        cause: error,
        hint: "check repo-sftp-private-key-file.",
      },
    );
  }
  if (!text.includes("BEGIN OPENSSH PRIVATE KEY")) text = plainPem(text, privateKeyFile, privateKeyPassphrase);
  const parsed = parse(text, privateKeyPassphrase);
  if (parsed instanceof Error) throw badKey(privateKeyFile, parsed);
  return text;
}

/** PEM keys go through the runtime: the library does not know all of their forms, nor how this runtime wants the encrypted ones. */
function plainPem(text: string, file: string, passphrase: string | undefined): string {
  try {
    const key = createPrivateKey({ key: text, passphrase });
    return String(key.export({ type: key.asymmetricKeyType === "rsa" ? "pkcs1" : "sec1", format: "pem" }));
  } catch (error) {
    throw badKey(file, error as Error);
  }
}

function badKey(file: string, error: Error): WalferryError {
  return new WalferryError("Crypto", `private key '${file}' cannot be used: ${error.message}`, {
    hint: /encrypt|decrypt|passphrase|integrity/i.test(error.message)
      ? "check repo-sftp-private-key-passphrase."
      : "it must be a private key as ssh-keygen makes it; with a passphrase, repo-sftp-private-key-passphrase is needed.",
  });
}

function connectFailure(config: SftpStorageConfig, what: string, error: unknown): WalferryError {
  if (error instanceof WalferryError) return error;
  const { level, message } = error as { level?: string; message: string };
  const text = `${what}: ${message}`;
  if (level === "client-authentication") {
    return new RequestFailure("Access", text, {
      transient: false,
      cause: error,
      hint: config.privateKeyFile === undefined && config.agentSocket === undefined
        ? "there is neither a key nor an agent: set repo-sftp-private-key-file."
        : config.privateKeyFile === undefined
        ? "the host takes none of the agent's keys: check repo-sftp-host-user and the host's authorized_keys."
        : "the host does not take this key: check repo-sftp-host-user, repo-sftp-private-key-file and the host's authorized_keys.",
    });
  }
  if (level === "client-timeout") {
    return new RequestFailure("HostConnect", text, {
      transient: true,
      cause: error,
      hint:
        "the host does not answer: check repo-sftp-host, the port and what filters the network (option io-timeout).",
    });
  }
  return connectionFailure(what, error) ?? new RequestFailure("HostConnect", text, {
    transient: level === "client-socket",
    cause: error,
    hint: /handshake|algorithm|key exchange/i.test(message)
      ? "the host and this program have no algorithm in common, or the host has no key of a type that is in the known hosts."
      : "check that the host offers SFTP.",
  });
}

/** The verdict with the place in front. */
function located(verdict: WalferryError, what: string): WalferryError {
  return new RequestFailure(verdict.kind, `${what}: ${verdict.message}`, {
    transient: false,
    hint: verdict.hint,
    cause: verdict,
  });
}
