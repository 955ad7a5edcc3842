/**
 * Whether a success is one that S3 gives. Something in between may answer 200 to everything, a store may begin with 200 and then tell an
 * error, and the client takes an answer in which it finds nothing for one that says nothing: a segment that nobody stored would be
 * acknowledged, and what nobody removed would count as removed.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { Readable } from "node:stream";

/** A success that S3 does not give. */
export class NotAnAnswer extends Error {}

/** What stands in the content of a success, by command. */
const ROOTS: Readonly<Record<string, { readonly name: string; readonly what: string }>> = {
  ListObjectsV2Command: { name: "ListBucketResult", what: "listing" },
  ListMultipartUploadsCommand: { name: "ListMultipartUploadsResult", what: "listing" },
  CreateMultipartUploadCommand: { name: "InitiateMultipartUploadResult", what: "beginning of an upload" },
  CompleteMultipartUploadCommand: { name: "CompleteMultipartUploadResult", what: "end of an upload" },
  DeleteObjectsCommand: { name: "DeleteResult", what: "list of removals" },
};
/** Commands whose success names what was stored. */
const TAGGED: ReadonlySet<string> = new Set(["PutObjectCommand", "UploadPartCommand"]);

/** Commands whose success has no content, or none that is looked at: a page is not theirs. */
const SILENT: ReadonlySet<string> = new Set(["DeleteObjectCommand"]);

/** What is used of an answer as it came. */
interface HeardResponse {
  statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: unknown;
}

/** Looks at every success of a request that changes or lists something, before the client reads it. */
export function judgeAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      const name = context.commandName ?? "";
      const response = result.response as HeardResponse;
      const isSuccess = response.statusCode >= 200 && response.statusCode < 300;
      if (isSuccess && (name in ROOTS || TAGGED.has(name) || SILENT.has(name))) await judge(name, response);
      return result;
    },
    { step: "deserialize", priority: "low", name: "walferryAnswers" },
  );
}

async function judge(name: string, response: HeardResponse): Promise<void> {
  const text = await contentOf(response.body);
  response.body = Readable.from([new TextEncoder().encode(text)]);
  // The client knows an error only when nothing stands behind it.
  if (text.trimEnd().endsWith("</Error>")) {
    response.statusCode = 503;
    response.body = Readable.from([new TextEncoder().encode(text.trimEnd())]);
    return;
  }
  if (TAGGED.has(name) && !response.headers.etag) {
    throw new NotAnAnswer("the answer does not say what was stored (it has no ETag)");
  }
  // Nothing at all is what the client takes for an error itself, or what a store says that has nothing to say of removals.
  const root = ROOTS[name];
  if (text !== "" && root !== undefined && !new RegExp(`<(?:\\w+:)?${root.name}[\\s/>]`).test(text)) {
    throw new NotAnAnswer(`the answer is no ${root.what}`);
  }
  if (SILENT.has(name) && /<(?:!doctype\s+)?html/i.test(text)) {
    throw new NotAnAnswer("the answer is not that of a removal");
  }
}

async function contentOf(body: unknown): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body as AsyncIterable<Uint8Array>) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
