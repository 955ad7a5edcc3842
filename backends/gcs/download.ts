/** The content of an object on its way here: whether it is the one that was asked for, from which byte, how much, and undamaged. */
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import { Crc32c } from "../../src/stream/crc32c.ts";
import type { DirectBody } from "../direct_content.ts";
import type { HttpAnswer } from "../http_request.ts";
import type { GetRequest, ObjectContent } from "../object/driver.ts";
import { RequestFailure } from "../request_failure.ts";
import { notUnderstood } from "./answers.ts";

/** The range to ask for; nothing when the object is wanted whole. */
export function rangeHeader({ offsetBytes, lengthBytes }: GetRequest): Readonly<Record<string, string>> {
  if (offsetBytes === 0 && lengthBytes === undefined) return {};
  const last = lengthBytes === undefined ? "" : String(offsetBytes + lengthBytes - 1);
  return { range: `bytes=${offsetBytes}-${last}` };
}

/** An answer, whichever way it came. */
type ContentAnswer = Pick<HttpAnswer, "status" | "headers"> & { readonly body: HttpAnswer["body"] | DirectBody };

/**
 * Holds the head of a successful answer against what was asked for. Whatever ignores a range would otherwise give other bytes, in silence.
 * @throws RequestFailure; the connection is ended then
 */
export function contentOf(what: string, request: GetRequest, answer: ContentAnswer): ObjectContent {
  try {
    return judged(what, request, answer);
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

function judged(what: string, request: GetRequest, { status, headers, body }: ContentAnswer): ObjectContent {
  const version = String(headers["x-goog-generation"] ?? "");
  if (!/^\d+$/.test(version)) throw notUnderstood(what, "the answer is no object (it has no generation)");
  if (request.version !== undefined && request.version !== version) throw replaced(what);
  const { offsetBytes, lengthBytes = Infinity } = request;
  const { from, total } = status === 206
    ? contentRange(what, headers["content-range"])
    : { from: 0, total: Number(headers["content-length"]) };
  if (!Number.isSafeInteger(total)) throw notUnderstood(what, "the answer has no length");
  if (from !== offsetBytes || (status !== 206 && total > lengthBytes)) {
    throw notUnderstood(what, `the answer begins at byte ${from} or ends elsewhere than asked for`);
  }
  const stored = headers["x-goog-stored-content-length"];
  if (stored !== undefined && Number(stored) !== total) {
    throw notUnderstood(what, `the answer is not what is stored (${String(stored)} bytes)`);
  }
  // Of a range that is cut short the rest is missing: whoever reads asks for it.
  const sizeBytes = Math.min(lengthBytes, total - from);
  const crc32c = /crc32c=([A-Za-z0-9+/=]+)/.exec(String(headers["x-goog-hash"]))?.[1];
  const isWhole = status !== 206 && crc32c !== undefined;
  return {
    body,
    check: isWhole ? (source) => checked(source, crc32c, sizeBytes, what) : undefined,
    sizeBytes,
    version,
  };
}

function contentRange(what: string, header: string | undefined): { from: number; total: number } {
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(header ?? "") ?? [];
  if (from === undefined) throw notUnderstood(what, "the answer does not say which bytes it holds");
  return { from: Number(from), total: Number(total) };
}

/** The version that was asked for is no longer there. */
export function replaced(what: string): RequestFailure {
  return new RequestFailure("FileRead", `${what}: it was replaced while it was read`, { transient: false });
}

/** Content that is read as a whole is held against the checksum that came with it. */
async function* checked(body: ByteStream, crc32c: string, sizeBytes: number, what: string): AsyncGenerator<Uint8Array> {
  const meter = new Crc32c();
  let received = 0;
  for await (const chunk of body) {
    meter.update(chunk);
    received += chunk.length;
    yield chunk;
  }
  // One that was cut is read on; what came in then is checked by the format's own hash.
  if (received === sizeBytes && meter.base64() !== crc32c) {
    throw new RequestFailure("FileRead", `${what}: the content does not have the checksum that the store says`, {
      transient: false,
      hint: "the content was damaged on its way or in the store: is there a faulty network or proxy?",
    });
  }
}
