/** What Azure's answers mean: the kind of error, whether another try helps, and what the user should look at. */
import { isRestError, type RestError } from "@azure/storage-blob";
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";

const HINTS: Readonly<Record<string, string>> = {
  AuthenticationFailed:
    "check repo-azure-account, repo-azure-key and its type, a SAS token's times, and the clock of this host.",
  AuthorizationFailure:
    "the firewall or the network rules of the storage account refuse this host, or the key or SAS token may not do this (any more): check its times and permissions.",
  AuthorizationPermissionMismatch:
    "the SAS token or the identity may not do this: it needs read, add, create, write, delete and list on the container.",
  AuthorizationProtocolMismatch: "the SAS token allows https only.",
  AuthorizationSourceIPMismatch: "the SAS token allows other addresses only.",
  AuthorizationResourceTypeMismatch: "the SAS token needs the resource types container and object.",
  AuthorizationServiceMismatch: "the SAS token is not for blobs.",
  ContainerNotFound: "the container does not exist: check repo-azure-container; walferry makes no containers.",
  ContainerBeingDeleted: "the container is being deleted.",
  InsufficientAccountPermissions: "the account may not do this.",
  InvalidAuthenticationInfo: "check repo-azure-key and its type.",
  ResourceNotFound: "check repo-azure-account, repo-azure-container and repo-azure-uri-style.",
  BlobArchived:
    "the blob is in the archive tier (a lifecycle rule of the account?): rehydrate it first, then run this again.",
  BlobBeingRehydrated: "the blob is on its way back from the archive tier: wait for that, then run this again.",
  BlobImmutableDueToPolicy: "an immutability policy keeps it.",
  InvalidBlobOrBlock:
    "an unfinished upload of another program stands in the way: it vanishes after a week, or when something small is written under this name.",
  InvalidBlockList: "another writer wrote the same name meanwhile.",
};
const ACCESS_STATUS: ReadonlySet<number> = new Set([401, 403]);
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "ServerBusy",
  "OperationTimedOut",
  "InternalError",
  "Md5Mismatch",
]);

/** Code and status of an answer of the store; `undefined` when the error is not one. */
export function answerOf(error: unknown): { readonly code: string; readonly status: number } | undefined {
  if (!isRestError(error) || error.statusCode === undefined) return undefined;
  return { code: codeOf(error), status: error.statusCode };
}

function codeOf(error: RestError): string {
  const details = error.details as { errorCode?: string; code?: string } | undefined;
  const header = error.response?.headers.get("x-ms-error-code");
  return details?.errorCode ?? header ??
    (error.code !== undefined && error.code !== "REQUEST_SEND_ERROR" ? error.code : "") ??
    "";
}

/**
 * The failure to throw for an error of the client library.
 * @param what begins the message: what was tried, on which blob
 * @param kind for answers that say nothing more exact
 */
export function azureFailure(what: string, kind: ErrorKind, error: unknown): WalferryError {
  if (error instanceof WalferryError) return error;
  const answer = answerOf(error);
  if (answer === undefined) {
    const connection = connectionFailure(what, error);
    if (connection !== undefined) return connection;
    // The client's own words may hold the address, and the address a token.
    const name = error instanceof Error ? error.name : "unknown error";
    return new RequestFailure(
      "Protocol",
      `${what}: ${name}: ${withoutSecrets(String((error as Error)?.message ?? error))}`,
      {
        transient: false,
      },
    );
  }
  const { code, status } = answer;
  const { response, message } = error as RestError;
  const transient = TRANSIENT_CODES.has(code) || isTransientStatus(status);
  const id = response?.headers.get("x-ms-request-id");
  // Further lines repeat the request id and, for signatures, what was signed.
  const said = withoutSecrets(message.split("\n", 1)[0]!.trim());
  const text = `${what}: ${code === "" ? "" : `${code} `}(HTTP ${status})${
    said === "" || said === code ? "" : `: ${said}`
  }${id === undefined ? "" : ` [request ${id}]`}`;
  const seconds = Number(response?.headers.get("retry-after"));
  // A success that could not be understood.
  const other = status < 300 ? "Protocol" : kind;
  return new RequestFailure(transient ? "Service" : ACCESS_STATUS.has(status) ? "Access" : other, text, {
    transient,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined,
    hint: status < 300 || status === 404 && code === ""
      ? "is there a proxy or a log-in page in between? check repo-azure-endpoint."
      : HINTS[code] ?? (ACCESS_STATUS.has(status) ? HINTS.AuthenticationFailed : undefined),
  });
}

function withoutSecrets(text: string): string {
  return text.replaceAll(/(\bsig=)[^&\s'"]+/gi, "$1<redacted>").replaceAll(/(Bearer|SharedKey) \S+/g, "$1 <redacted>")
    .slice(0, 300);
}
