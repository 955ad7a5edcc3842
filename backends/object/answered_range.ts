/** Whether the content of an answer is the range that was asked for: what ignores a range would otherwise give other bytes, in silence. */
import { RequestFailure } from "../request_failure.ts";
import type { GetRequest, ObjectContent } from "./driver.ts";

/**
 * Gives the content when it is what was asked for; ends its connection when it is not.
 * @param what begins the message of a failure
 * @param contentRange as the answer says it; absent where the answer is all of the object
 * @throws RequestFailure `Protocol`
 */
export function inRange(
  what: string,
  { offsetBytes, lengthBytes = Infinity }: GetRequest,
  contentRange: string | undefined,
  content: ObjectContent,
): ObjectContent {
  const first = contentRange === undefined ? "0" : /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(contentRange)?.[1];
  if (first !== undefined && Number(first) === offsetBytes && content.sizeBytes <= lengthBytes) return content;
  content.body?.destroy();
  throw new RequestFailure("Protocol", `${what}: the answer is not the range that was asked for`, {
    transient: false,
    hint: "is there a proxy in between that does not know ranges?",
  });
}
