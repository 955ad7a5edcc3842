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

const TRANSIENT_REASONS: ReadonlySet<string> = new Set(["rateLimitExceeded", "userRateLimitExceeded"]);

/** Reads an error answer (JSON API, "Error responses"). */
export function refusalOf(status: number, headers: Readonly<Record<string, unknown>>, text: string): GcsRefusal {
  let error: { message?: unknown; errors?: Array<{ reason?: unknown } | null> } = {};
  try {
    error = (JSON.parse(text) as { error?: typeof error } | null)?.error ?? {};
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
    message: withoutSecrets((typeof error.message === "string" ? error.message : text).trimStart().split("\n", 1)[0]!)
      .slice(0, 300),
    requestId: typeof id === "string" ? id : undefined,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined,
  };
}

/** A text from outside without what nobody may see: some proxies repeat in their answer what they were sent. */
export function withoutSecrets(text: string): string {
  return text.replace(/(bearer |upload_id=|assertion=)[^\s"'&<>]+|ya29\.[\w.-]+/gi, "$1***");
}

/**
 * The failure to throw for a refusal.
 * @param what begins the message: what was tried, on which object
 * @param kind for refusals that say nothing more exact
 * @param canSendAgain whether content that was damaged on its way can be sent anew
 */
export function gcsFailure(what: string, kind: ErrorKind, refusal: GcsRefusal, canSendAgain = true): RequestFailure {
  const { status, reason, message, requestId, retryAfterMs } = refusal;
  const isDamaged = status === 400 && /(crc32c|checksum|hash).*match/i.test(message);
  const transient = isTransientStatus(status) || TRANSIENT_REASONS.has(reason);
  const isAccess = status === 401 || status === 403;
  const text = `${what}: ${reason === "" ? "" : `${reason} `}(HTTP ${status})${message === "" ? "" : `: ${message}`}${
    requestId === undefined ? "" : ` [request ${requestId}]`
  }`;
  return new RequestFailure(transient ? "Service" : isAccess ? "Access" : kind, text, {
    transient: transient || (isDamaged && canSendAgain),
    retryAfterMs,
    hint: isDamaged
      ? "the content was damaged on its way: is there a faulty network or proxy?"
      : hintOf(status, reason, message),
  });
}

function hintOf(status: number, reason: string, message: string): string | undefined {
  if (status === 401) return "the store does not take the token: check repo-gcs-key and repo-gcs-key-type.";
  if (reason === "retentionPolicyNotMet") return "the bucket's retention policy or a hold keeps the object.";
  if (reason === "userProjectMissing") return "the requester pays for this bucket: set repo-gcs-user-project.";
  if (status === 403) {
    return "the account may not do this: it needs storage.objects.list, get, create and delete (role Storage Object Admin).";
  }
  if (status === 404 && reason === "" && !/bucket|object/i.test(message)) {
    return "is there a proxy or a log-in page in between? check repo-gcs-endpoint.";
  }
  if (status === 404) {
    return "the bucket does not exist there: check repo-gcs-bucket and repo-gcs-endpoint; walferry makes no buckets.";
  }
  return undefined;
}
