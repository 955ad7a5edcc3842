/** What GCS's answers mean: the kind of error, whether another try helps, and what the user should look at. */
import type { ErrorKind } from "../../src/errors.ts";
import { isTransientStatus, RequestFailure } from "../request_failure.ts";

/** An answer that is not what was asked for. */
export interface GcsRefusal {
  readonly status: number;
  /** `notFound`, `conditionNotMet` ...; empty when the answer has none. */
  readonly reason: string;
  readonly message: string;
  /** `X-GUploader-UploadID`: names the request for Google's support. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Reads an error answer (JSON API, "Error responses"). */
export function refusalOf(status: number, headers: Readonly<Record<string, unknown>>, text: string): GcsRefusal {
  let error: { message?: unknown; errors?: Array<{ reason?: unknown }> } = {};
  try {
    error = (JSON.parse(text) as { error?: typeof error }).error ?? {};
  } catch (thrown) {
    // Uploads and proxies answer in plain text.
    if (!(thrown instanceof SyntaxError)) throw thrown;
  }
  const reason = error.errors?.[0]?.reason;
  const seconds = Number(headers["retry-after"]);
  const id = headers["x-guploader-uploadid"];
  return {
    status,
    reason: typeof reason === "string" ? reason : "",
    message: (typeof error.message === "string" ? error.message : text).split("\n", 1)[0]!.slice(0, 300),
    requestId: typeof id === "string" ? id : undefined,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined,
  };
}

/**
 * The failure to throw for a refusal.
 * @param what begins the message: what was tried, on which object
 * @param kind for refusals that say nothing more exact
 */
export function gcsFailure(what: string, kind: ErrorKind, refusal: GcsRefusal): RequestFailure {
  const { status, reason, message, requestId, retryAfterMs } = refusal;
  const transient = isTransientStatus(status) || reason === "rateLimitExceeded" || reason === "userRateLimitExceeded";
  const isAccess = status === 401 || status === 403;
  const text = `${what}: ${reason === "" ? "" : `${reason} `}(HTTP ${status})${message === "" ? "" : `: ${message}`}${
    requestId === undefined ? "" : ` [request ${requestId}]`
  }`;
  return new RequestFailure(transient ? "Service" : isAccess ? "Access" : kind, text, {
    transient,
    retryAfterMs,
    hint: hintOf(status, reason),
  });
}

function hintOf(status: number, reason: string): string | undefined {
  if (status === 401) return "the store does not take the token: check repo-gcs-key and repo-gcs-key-type.";
  if (reason === "retentionPolicyNotMet") return "the bucket's retention policy or a hold keeps the object.";
  if (reason === "userProjectMissing") return "the requester pays for this bucket: set repo-gcs-user-project.";
  if (status === 403) {
    return "the account may not do this: it needs storage.objects.list, get, create and delete (role Storage Object Admin).";
  }
  if (status === 404) {
    return "the bucket does not exist there: check repo-gcs-bucket and repo-gcs-endpoint; walferry makes no buckets.";
  }
  return undefined;
}
