/** A connection by the system's ssh program: its configuration, agents, certificates and jump hosts work, and its ciphers are fast. */
import { WalferryError } from "../../src/errors.ts";
import type { SftpStorageConfig } from "../config.ts";
import { RequestFailure } from "../request_failure.ts";
import { knownHostFiles, makeFolderOf } from "./host_keys.ts";
import type { SftpChannel } from "./session.ts";

/** So much of what ssh says is kept for a message, in characters. */
const WORDS_MAX = 2000;

/** Starts ssh on the SFTP subsystem. That it is connected shows with the first answer. @throws WalferryError when ssh cannot be started */
export async function connectSystemSsh(config: SftpStorageConfig): Promise<SftpChannel> {
  // ssh makes no directory for a file that is configured; it would take the host for new each time, with any key.
  const [newHosts] = config.knownHostFiles === undefined ? [] : knownHostFiles(config);
  if (config.hostKeyCheck === "accept-new" && newHosts !== undefined) makeFolderOf(newHosts);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("ssh", {
      args: sshArguments(config),
      env: config.agentSocket === undefined ? {} : { SSH_AUTH_SOCK: config.agentSocket },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw new WalferryError("Execute", `unable to start ssh: ${(error as Error).message}`, {
      cause: error,
      hint: "install the OpenSSH client, or set repo-sftp-transport=ssh2.",
    });
  }
  let words = "";
  const listening = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      if (words.length < WORDS_MAX) words += text;
    }
  })();
  const writer = child.stdin.getWriter();
  let closing: Promise<void> | undefined;
  const close = async () => {
    try {
      child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
    // Given up, not closed: closing would wait for ssh to take what it may never take. The other end may be gone already.
    await writer.abort().catch(() => undefined);
    await child.status;
    await listening;
  };
  return await Promise.resolve({
    async send(parts: readonly Uint8Array[]) {
      // All handed over before anything is waited for: the parts of one packet belong together.
      await Promise.all(parts.map((part) => writer.write(part)));
    },
    incoming: heard(child, listening),
    reason: () => spoken(words),
    close: () => closing ??= close(),
  });
}

/** What comes in; its end waits for the last words of ssh, which say why it ended. */
async function* heard(child: Deno.ChildProcess, listening: Promise<void>): AsyncGenerator<Uint8Array> {
  yield* child.stdout;
  await listening;
}

/** What ssh said, on one line; without its frames, and without what is no reason for anything. */
function spoken(words: string): string | undefined {
  const lines = words.split(/\r?\n/).map((line) => line.trim());
  const meant = lines.filter((line) => /[^@\s]/.test(line) && !line.startsWith("Warning: Permanently added"));
  return meant.length === 0 ? undefined : meant.map((line) => line.replace(/^@\s*(.*?)\s*@$/, "$1")).join("; ");
}

function sshArguments(config: SftpStorageConfig): string[] {
  const option = (name: string, value: string) => ["-o", `${name}=${value}`];
  const files = knownHostFiles(config).map((file) => `"${file}"`).join(" ");
  // The files that are configured stand for all others, the system's too.
  const known = config.knownHostFiles === undefined
    ? []
    : [...option("UserKnownHostsFile", files), ...option("GlobalKnownHostsFile", "/dev/null")];
  const check: Readonly<Record<SftpStorageConfig["hostKeyCheck"], string[]>> = {
    "strict": [...option("StrictHostKeyChecking", "yes"), ...known],
    "accept-new": [...option("StrictHostKeyChecking", "accept-new"), ...known],
    "none": [...option("StrictHostKeyChecking", "no"), ...option("UserKnownHostsFile", "/dev/null")],
    "fingerprint": [],
  };
  if (config.hostKeyCheck === "fingerprint") {
    throw new WalferryError("OptionInvalid", "the ssh program does not check fingerprints", {
      hint: "set repo-sftp-host-key-check-type=strict with a file of known hosts, or repo-sftp-transport=ssh2.",
    });
  }
  if (config.privateKeyPassphrase !== undefined) {
    throw new WalferryError("OptionInvalid", "the ssh program asks an agent for keys with a passphrase", {
      hint:
        "add the key to an ssh agent and leave repo-sftp-private-key-passphrase out, or set repo-sftp-transport=ssh2.",
    });
  }
  return [
    ...option("BatchMode", "yes"),
    ...option("ConnectTimeout", String(Math.max(1, Math.ceil(config.network.ioTimeoutMs / 1000)))),
    ...check[config.hostKeyCheck],
    ...(config.privateKeyFile === undefined ? [] : ["-i", config.privateKeyFile, ...option("IdentitiesOnly", "yes")]),
    "-p",
    String(config.port),
    "-l",
    config.user,
    "-s",
    "--",
    config.host,
    "sftp",
  ];
}

/** What ssh's last words mean. */
export function systemSshFailure(what: string, words: string): RequestFailure {
  const refused = /Permission denied|Too many authentication failures/i.test(words);
  const hostKey = /Host key verification failed|IDENTIFICATION HAS CHANGED|No .* host key is known/i.test(words);
  const fatal = refused || hostKey || /Bad configuration option|bad permissions|subsystem request failed/i.test(words);
  return new RequestFailure(refused || hostKey ? "Access" : "HostConnect", `${what}: ${words}`, {
    transient: !fatal,
    hint: hostKey
      ? "the host's key is not known, or has changed: check it and the files of known hosts."
      : refused
      ? "check repo-sftp-host-user, the key and the host's authorized_keys."
      : "check repo-sftp-host, the port and that the host offers SFTP.",
  });
}
