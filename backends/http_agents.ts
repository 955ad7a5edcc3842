/** Connections to object stores: kept alive, trusting whom the configuration trusts. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP } from "node:net";
import { WalferryError } from "../src/errors.ts";
import type { ObjectStoreConfig, TlsConfig } from "./config.ts";
import type { DirectTarget } from "./direct_connection.ts";

/** Connections that one store object holds at most: the parts of an upload, removals in batches, and some room. */
const SOCKETS_MAX = 16;

/** Where a request really goes. What is signed, the Host header and the name in the certificate stay those of the endpoint. */
export interface ConnectTarget {
  readonly protocol: "http:" | "https:";
  readonly host: string;
  readonly port: number;
}

/** The host and port to connect to for a request to `hostName` of the endpoint. */
export function connectTarget(config: ObjectStoreConfig, hostName: string): ConnectTarget {
  const endpoint = new URL(config.endpoint);
  const protocol = endpoint.protocol === "http:" ? "http:" : "https:";
  const port = endpoint.port === "" ? (protocol === "http:" ? 80 : 443) : Number(endpoint.port);
  return { protocol, host: config.connect?.host ?? hostName, port: config.connect?.port ?? port };
}

/**
 * An agent that keeps connections for the next request.
 * @param hostName name that the server's certificate must carry
 * @throws WalferryError `FileOpen`, `FileInvalid` when the authorities cannot be read
 */
export function makeAgent(config: ObjectStoreConfig, hostName: string): HttpAgent | HttpsAgent {
  const options = {
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    maxFreeSockets: SOCKETS_MAX,
    scheduling: "lifo" as const,
  };
  if (config.endpoint.startsWith("http:")) return sendingOnce(new HttpAgent(options));
  return sendingOnce(
    new HttpsAgent({
      ...options,
      ca: readAuthorities(config.tls),
      rejectUnauthorized: config.tls.verify,
      // An address is no name that a client may ask for; it is held against the certificate all the same.
      servername: isIP(hostName) === 0 ? hostName : undefined,
      minVersion: "TLSv1.2",
    }),
  );
}

/**
 * Deno sends a request again by itself when a kept connection ends without an answer, also when it was this program that ended it
 * (denoland/deno#36786): a write that was aborted, or that timed out, would arrive afterwards, and a conditional one would meet its own
 * success. It does so only for a request that says that its connection was used before.
 */
function sendingOnce<T extends HttpAgent | HttpsAgent>(agent: T): T {
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request);
    request.reusedSocket = false;
  };
  return agent;
}

/**
 * Where content may be asked for over a connection of the runtime's own; `undefined` where it must not: that trusts the authorities which came
 * with the runtime besides those that it is told of, and proves every certificate.
 * @param hostName name that the server's certificate must carry
 */
export function directTarget(config: ObjectStoreConfig, hostName: string): DirectTarget | undefined {
  const target = connectTarget(config, hostName);
  if (target.protocol === "http:") return { ...target, hostName, authorities: [] };
  const { verify, caFile, caPath } = config.tls;
  if (!verify || caFile !== undefined || caPath !== undefined) return undefined;
  return { ...target, hostName, authorities: readAuthorities(config.tls) ?? [] };
}

/** Where systems keep the authorities that their administrators trust: Debian and SUSE, Red Hat, Alpine and BSD. */
const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/**
 * Certificates of the authorities to trust; `undefined` = those that came with the runtime, where the system has none.
 * @throws WalferryError `FileOpen`, `PathOpen`, `FileInvalid` when they cannot be read
 */
export function readAuthorities({ caFile, caPath }: TlsConfig): string[] | undefined {
  if (caFile === undefined && caPath === undefined) {
    const system = SYSTEM_AUTHORITIES.find(isFile);
    return system === undefined ? undefined : certificatesIn(readText(system));
  }
  const found = caFile === undefined ? [] : certificatesIn(readText(caFile));
  if (caPath !== undefined) {
    for (const { name } of readDirectory(caPath)) found.push(...certificatesIn(textIfReadable(`${caPath}/${name}`)));
  }
  if (found.length === 0) {
    throw new WalferryError("FileInvalid", `no certificate in ${caFile ?? caPath}`, {
      hint: "repo-storage-ca-file names a PEM file of authorities, repo-storage-ca-path a directory of such files.",
    });
  }
  return [...new Set(found)];
}

function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** As far as it can be read: one authority less is trusted, never one more, and a connection that needs it fails by its name. */
function readDirectory(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    throw new WalferryError("PathOpen", `unable to list path '${path}': ${(error as Error).message}`, { cause: error });
  }
}

/** Among the authorities of a system are links that lead nowhere, directories, and what only others may read: none of ours. */
function textIfReadable(path: string): string {
  try {
    return Deno.statSync(path).isFile ? Deno.readTextFileSync(path) : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return "";
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
