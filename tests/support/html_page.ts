/** A reader of the HTML that this program writes: strict about nesting, links and what a page by itself may hold. */
import { assert, assertEquals } from "./assert.ts";

/** Elements without an end. */
const VOID = new Set(["meta", "br"]);
/** SVG elements that may end at once. */
const SELF_CLOSING = new Set(["line", "rect", "path"]);

/** Checks the page; gives its text without tags. @throws when something is wrong with it */
export function readPage(page: string): string {
  assert(page.startsWith("<!DOCTYPE html>\n"), "no document type");
  assert(
    !/<script|\son\w+=|javascript:|https?:|\bsrc=|@import|url\(/i.test(page),
    "the page would fetch or run something",
  );
  const body = page.replace("<!DOCTYPE html>", "").replace(/<style>[\s\S]*?<\/style>/, "");
  const open: string[] = [];
  const ids: string[] = [];
  const targets: string[] = [];
  let text = "";
  let end = 0;
  for (const match of body.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s[^\s=>/]+(?:="[^"<]*")?)*)\s*(\/?)>/g)) {
    const between = body.slice(end, match.index);
    assert(!/[<>]/.test(between), `stray bracket: ${between.slice(0, 200)}`);
    text += between;
    end = match.index + match[0].length;
    const [, closing, name, attributes, selfClosing] = match as unknown as [string, string, string, string, string];
    if (closing === "/") assertEquals(open.pop(), name, match[0]);
    else if (selfClosing === "/") assert(SELF_CLOSING.has(name), match[0]);
    else if (!VOID.has(name)) open.push(name);
    for (const [, attribute, value] of attributes.matchAll(/\s([^\s=]+)="([^"]*)"/g)) {
      if (attribute === "id") ids.push(value!);
      if (attribute === "href") targets.push(value!);
      if (attribute === "aria-labelledby") targets.push(`#${value}`);
    }
  }
  assertEquals(open, []);
  assertEquals(ids.length, new Set(ids).size, "an id stands twice");
  for (const target of targets) {
    const id = /^#(.*)$/.exec(target)?.[1];
    // A browser looks for the name as it is written, and decoded.
    assert(
      id !== undefined && (ids.includes(id) || ids.includes(decodeURIComponent(id))),
      `link to nowhere: ${target}`,
    );
  }
  return text;
}
