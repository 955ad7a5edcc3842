/** The few assertions that the tests use, over `node:assert`, with the values in the message. */
import nodeAssert from "node:assert/strict";

export function assert(condition: unknown, message = "condition is false"): asserts condition {
  nodeAssert.ok(condition, message);
}

/** Deep and strict equality. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  if (message === undefined) nodeAssert.deepStrictEqual(actual, expected);
  else nodeAssert.deepStrictEqual(actual, expected, message);
}

/** The text holds this part, or matches this pattern. */
export function assertIncludes(text: string, part: string | RegExp): void {
  const found = typeof part === "string" ? text.includes(part) : part.test(text);
  nodeAssert.ok(found, `expected ${JSON.stringify(String(part))} in:\n${text}`);
}

/** The call throws (or rejects) and the error passes the check; gives the error back. */
export async function assertThrows<E = Error>(
  action: () => unknown,
  check?: (error: E) => void,
): Promise<E> {
  let thrown: { error: E } | undefined;
  try {
    await action();
  } catch (error) {
    thrown = { error: error as E };
  }
  nodeAssert.ok(thrown !== undefined, "expected an error, none was thrown");
  check?.(thrown.error);
  return thrown.error;
}
