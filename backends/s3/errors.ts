/** What S3's answers mean: the kind of error, whether another try helps, and what the user should look at. */
import { S3ServiceException } from "@aws-sdk/client-s3";
import type { ErrorKind } from "../../src/errors.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";
import { NotAnAnswer } from "./answers.ts";

/** Codes that pass by themselves although their status does not say so (Amazon S3 API reference, "List of error codes"). */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "BadDigest",
  "IncompleteBody",
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "TooManyRequestsException",
  "RequestLimitExceeded",
  "XAmzContentSHA256Mismatch",
]);

const HINTS: Readonly<Record<string, string>> = {
  AccessDenied:
    "the key may not do this: check its policy, the bucket's policy and, with encryption, the key's policy. " +
    "Needed are s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload. " +
    "Without s3:ListBucket S3 answers 403 for what does not exist.",
  AllAccessDisabled: "all access to this bucket is switched off by its provider.",
  AuthorizationHeaderMalformed: "the store expects another region: check repo-s3-region.",
  ExpiredToken:
    "the token has expired: renew repo-s3-token, or use repo-s3-key-type auto or web-id, which renew it by themselves.",
  IllegalLocationConstraintException: "the bucket is in another region: check repo-s3-region and repo-s3-endpoint.",
  InvalidAccessKeyId: "the store does not know this key: check repo-s3-key.",
  InvalidBucketName: "check repo-s3-bucket.",
  InvalidObjectState:
    "the object is in an archive class (a lifecycle rule of the bucket?): bring it back there first, then run this again.",
  InvalidRegion: "check repo-s3-region.",
  InvalidToken: "check repo-s3-token.",
  NoSuchBucket:
    "the bucket does not exist there: check repo-s3-bucket, repo-s3-endpoint and repo-s3-uri-style; walferry makes no buckets.",
  PermanentRedirect: "the bucket is served by another endpoint: check repo-s3-endpoint and repo-s3-region.",
  RequestTimeTooSkewed: "the clock of this host is wrong: check its time synchronisation.",
  SignatureDoesNotMatch: "check repo-s3-key-secret (and repo-s3-region).",
};

/** Errors of credentials and rights: nothing was said about the object itself. */
const ACCESS_STATUS: ReadonlySet<number> = new Set([401, 403]);

/** The code of an answer of the store; `undefined` when the error is not one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof S3ServiceException ? error.name : undefined;
}

/** HTTP status of an answer of the store. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/**
 * The failure to throw for an error of the client library.
 * @param what begins the message: what was tried, on which object
 * @param kind for answers that say nothing more exact
 */
export function s3Failure(what: string, kind: ErrorKind, error: unknown): RequestFailure {
  if (error instanceof RequestFailure) return error;
  if (error instanceof S3ServiceException) return answerFailure(what, kind, error);
  if (error instanceof NotAnAnswer) {
    return new RequestFailure("Protocol", `${what}: ${error.message}`, {
      transient: false,
      hint: "is there a proxy or a log-in page in between? check repo-s3-endpoint.",
    });
  }
  const connection = connectionFailure(what, error);
  if (connection !== undefined) return connection;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  // What is no answer and no broken connection is an answer that could not be understood.
  return new RequestFailure("Protocol", `${what}: ${firstLine(message)}`, { transient: false, cause: error });
}

function answerFailure(what: string, kind: ErrorKind, error: S3ServiceException): RequestFailure {
  const status = error.$metadata.httpStatusCode ?? 0;
  const code = error.name;
  const transient = TRANSIENT_CODES.has(code) || (isTransientStatus(status) && code !== "NotImplemented");
  const id = error.$metadata.requestId;
  const region = (error as { Region?: string }).Region;
  const text = [
    `${what}: ${code} (HTTP ${status})`,
    error.message === code || error.message === "UnknownError" ? "" : `: ${firstLine(error.message)}`,
    id === undefined ? "" : ` [request ${id}]`,
  ].join("");
  const isAccess = ACCESS_STATUS.has(status) && code !== "InvalidObjectState";
  return new RequestFailure(transient ? "Service" : isAccess ? "Access" : kind, text, {
    transient,
    retryAfterMs: retryAfter(error),
    hint: region === undefined
      ? HINTS[code] ?? hintOfStatus(status)
      : `${HINTS[code] ?? ""} The store says ${region}.`.trim(),
    cause: error,
  });
}

function hintOfStatus(status: number): string | undefined {
  if (status === 403) return HINTS.AccessDenied;
  if (status === 301 || status === 307) return HINTS.PermanentRedirect;
  return undefined;
}

function retryAfter(error: S3ServiceException): number | undefined {
  const seconds = Number(error.$response?.headers["retry-after"]);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 60) * 1000 : undefined;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!.slice(0, 300);
}
