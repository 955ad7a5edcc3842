/** A request to a store that failed, and whether the same request may succeed a little later. */
import { type ErrorKind, WalferryError } from "../src/errors.ts";

export class RequestFailure extends WalferryError {
  /** Whether the trouble may pass by itself. What it is not: a wrong key, a missing bucket, an untrusted certificate. */
  readonly transient: boolean;
  /** The store asked not to be asked again before this many milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { transient: boolean; retryAfterMs?: number; hint?: string; cause?: unknown },
  ) {
    super(kind, message, options);
    this.transient = options.transient;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** HTTP statuses behind which the same request may succeed later: RFC 9110 and what S3, Azure and GCS document for overload. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500 && status !== 501 && status !== 505;
}

interface Diagnosis {
  readonly kind: ErrorKind;
  readonly transient: boolean;
  readonly hint: string;
}

const UNTRUSTED: Diagnosis = {
  kind: "Access",
  transient: false,
  hint:
    "the server's certificate is not trusted: name its authority with repo-storage-ca-file or repo-storage-ca-path.",
};
const UNKNOWN_HOST: Diagnosis = {
  kind: "HostConnect",
  transient: true,
  hint: "the host name cannot be resolved: check the endpoint and the resolver.",
};
const TIMED_OUT: Diagnosis = {
  kind: "HostConnect",
  transient: true,
  hint: "the server does not answer: check the endpoint, the port and what filters the network (option io-timeout).",
};
const CUT: Diagnosis = {
  kind: "Service",
  transient: true,
  hint: "the connection was cut: check the network and the server.",
};

/** An error as the runtime's sockets have it, of a connection that this program found ended or ended itself. */
export function socketError(code: "ECONNRESET" | "ETIMEDOUT", message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Nobody said anything for so many milliseconds. */
export function silenceError(silenceMs: number): Error {
  return socketError("ETIMEDOUT", `nothing came for ${silenceMs} ms`);
}

/** What the codes of sockets, TLS and name resolution mean. */
const DIAGNOSES: Readonly<Record<string, Diagnosis>> = {
  ECONNREFUSED: {
    kind: "HostConnect",
    transient: true,
    hint: "nothing listens there: check the endpoint and the port, and whether the server runs.",
  },
  ECONNRESET: CUT,
  ECONNABORTED: CUT,
  EPIPE: CUT,
  ERR_STREAM_PREMATURE_CLOSE: CUT,
  UND_ERR_SOCKET: CUT,
  ETIMEDOUT: TIMED_OUT,
  ESOCKETTIMEDOUT: TIMED_OUT,
  EHOSTUNREACH: TIMED_OUT,
  ENETUNREACH: TIMED_OUT,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  EAI_FAIL: UNKNOWN_HOST,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_HAS_EXPIRED: {
    kind: "Access",
    transient: false,
    hint: "the server's certificate has expired (or the clock of this host is wrong).",
  },
  CERT_NOT_YET_VALID: {
    kind: "Access",
    transient: false,
    hint: "the server's certificate is not valid yet (or the clock of this host is wrong).",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    kind: "Access",
    transient: false,
    hint: "the server's certificate is for another name: check the endpoint and repo-s3-uri-style.",
  },
};

/** Texts of the runtime's own errors, which carry no code. */
const TEXTS: ReadonlyArray<readonly [pattern: RegExp, code: string]> = [
  [/UnknownIssuer|self.signed|CaUsedAsEndEntity|unable to (get|verify)/i, "SELF_SIGNED_CERT_IN_CHAIN"],
  [/NotValidForName|altname|does not match/i, "ERR_TLS_CERT_ALTNAME_INVALID"],
  [/\bExpired\b|certificate has expired/i, "CERT_HAS_EXPIRED"],
  [/NotValidYet|not yet valid/i, "CERT_NOT_YET_VALID"],
  [/connection refused/i, "ECONNREFUSED"],
  [/timed? ?out|TimeoutError/i, "ETIMEDOUT"],
  [/socket hang up|connection (was )?(closed|reset)|unexpected end of file|aborted|other side closed/i, "ECONNRESET"],
  [/lookup address|ENOTFOUND|getaddrinfo/i, "ENOTFOUND"],
];

/**
 * What a failed connection means; `undefined` when the error is not one of a connection.
 * @param what begins the message: what was tried, where
 */
export function connectionFailure(what: string, error: unknown): RequestFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    const text = `${cause.name}: ${cause.message}`;
    const known = typeof code === "string" && code in DIAGNOSES
      ? code
      : TEXTS.find(([pattern]) => pattern.test(text))?.[1];
    if (known === undefined) continue;
    const { kind, transient, hint } = DIAGNOSES[known]!;
    const shown = cause.message.includes(known) ? cause.message : `${cause.message} [${known}]`;
    return new RequestFailure(kind, `${what}: ${shown}`, { transient, hint, cause: error });
  }
  return undefined;
}
