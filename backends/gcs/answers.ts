/** Reading what GCS answers. Nothing is believed before it looks like GCS: proxies and log-in pages answer 200 to everything. */
import { answerText, type HttpAnswer } from "../http_request.ts";
import { connectionFailure, RequestFailure } from "../request_failure.ts";
import type { ObjectResource } from "./object_resource.ts";

/** The content of a small answer. @throws RequestFailure when the connection breaks, or it is too long */
export async function textOf(what: string, answer: HttpAnswer): Promise<string> {
  try {
    return await answerText(answer);
  } catch (error) {
    throw connectionFailure(what, error) ?? notUnderstood(what, (error as Error).message);
  }
}

/** The JSON object that an answer holds. @throws RequestFailure `Protocol` when it holds none */
export async function jsonOf<T extends object>(what: string, answer: HttpAnswer): Promise<T> {
  return parsed<T>(what, await textOf(what, answer));
}

/** What was stored, by the answer to a write. @throws RequestFailure `Protocol` when the answer does not tell */
export function storedOf(what: string, text: string): ObjectResource {
  const resource = parsed<ObjectResource>(what, text);
  if (typeof resource.size !== "string" || typeof resource.crc32c !== "string") {
    throw notUnderstood(what, "the answer does not say what was stored");
  }
  return resource;
}

function parsed<T extends object>(what: string, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notUnderstood(what, `the answer is not JSON (${(error as Error).name})`);
  }
  if (typeof value !== "object" || value === null) throw notUnderstood(what, "the answer is no JSON object");
  return value as T;
}

/** An answer that GCS does not give. */
export function notUnderstood(what: string, reason: string): RequestFailure {
  return new RequestFailure("Protocol", `${what}: ${reason}`, {
    transient: false,
    hint: "is there a proxy or a log-in page in between? check repo-gcs-endpoint.",
  });
}
