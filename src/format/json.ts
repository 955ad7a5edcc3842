/**
 * JSON exactly as the repository format writes it (repository-format §2.1): no white space, object keys in byte order, only the short
 * escapes, integers of 64 bits kept exact. Values are plain TypeScript values; integers that do not fit a double come back as `bigint`.
 */
import { WalferryError } from "../errors.ts";

export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Deepest nesting that is read; real files nest three levels. */
const DEPTH_MAX = 16;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;
const ESCAPED = /["\\\n\r\t\b\f]/;

const UNESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
};

/** A string with its quotes. */
export function renderString(text: string): string {
  // Looking costs less than replacing nothing.
  if (!ESCAPED.test(text)) return `"${text}"`;
  return `"${text.replace(/["\\\n\r\t\b\f]/g, (character) => ESCAPES[character]!)}"`;
}

/** Orders two strings by their UTF-8 bytes, as the format sorts (never a locale's order). */
export function compareBytes(a: string, b: string): number {
  // UTF-16 order equals UTF-8 order except where a surrogate pair meets a character above U+D7FF.
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rankOfUnit(left) - rankOfUnit(right);
  }
  return a.length - b.length;
}

function rankOfUnit(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Compact text of a value; members whose value is `undefined` are left out. */
export function renderJson(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return renderString(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new WalferryError("Assert", `${value} is not an exact integer`);
    return String(value);
  }
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(renderJson).join(",")}]`;
  const members = Object.keys(value).filter((key) => value[key] !== undefined).sort(compareBytes);
  return `{${members.map((key) => `${renderString(key)}:${renderJson(value[key])}`).join(",")}}`;
}

/**
 * The text of a value for programs and terminals. JSON allows no control character in a string; the stored files hold those without a short
 * escape as they are, as pgBackRest writes them.
 */
export function renderAnswer(value: JsonValue | undefined): string {
  return renderJson(value).replace(CONTROLS, escapeControl);
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Reads one value that fills the whole text.
 * @throws WalferryError `JsonFormat` naming the position.
 */
export function parseJson(text: string): JsonValue {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#fail("unexpected text behind the value");
  }

  value(depth: number): JsonValue {
    if (depth > DEPTH_MAX) this.#fail("nested too deeply");
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    for (const [word, value] of [["null", null], ["true", true], ["false", false]] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#integer();
  }

  #object(depth: number): JsonObject {
    // No prototype, so that a key such as __proto__ is a key like any other.
    const object: JsonObject = Object.create(null);
    this.#at += 1;
    this.#space();
    if (this.#take("}")) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail("expected a key");
      const key = this.#string();
      this.#space();
      if (!this.#take(":")) this.#fail("expected ':'");
      if (key in object) this.#fail(`key '${key}' stands twice`);
      object[key] = this.value(depth + 1);
      this.#space();
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("expected ',' or '}'");
    return object;
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#at += 1;
    this.#space();
    if (this.#take("]")) return array;
    do {
      array.push(this.value(depth + 1));
      this.#space();
    } while (this.#take(","));
    if (!this.#take("]")) this.#fail("expected ',' or ']'");
    return array;
  }

  #string(): string {
    let result = "";
    let from = this.#at + 1;
    for (let at = from;; at++) {
      const character = this.#text[at];
      if (character === undefined || character === "\n") return this.#fail("string has no end");
      if (character === '"') {
        this.#at = at + 1;
        return result + this.#text.slice(from, at);
      }
      if (character !== "\\") continue;
      const next = this.#text[at + 1] ?? "";
      let escaped = UNESCAPES[next];
      if (next === "u") {
        const digits = this.#text.slice(at + 2, at + 6);
        if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.#fail("bad \\u escape");
        escaped = String.fromCharCode(parseInt(digits, 16));
        result += this.#text.slice(from, at) + escaped;
        at += 5;
      } else if (escaped === undefined) {
        this.#fail("unknown escape");
      } else {
        result += this.#text.slice(from, at) + escaped;
        at += 1;
      }
      from = at + 1;
    }
  }

  #integer(): number | bigint {
    const pattern = /-?\d{1,20}/y;
    pattern.lastIndex = this.#at;
    const digits = pattern.exec(this.#text)?.[0];
    if (digits === undefined) return this.#fail("expected a value");
    this.#at += digits.length;
    if (/[\d.eE]/.test(this.#text[this.#at] ?? "")) this.#fail("number is not an integer of 64 bits");
    const number = Number(digits);
    if (Number.isSafeInteger(number)) return number;
    const exact = BigInt(digits);
    if (exact > 0xffff_ffff_ffff_ffffn || exact < -0x8000_0000_0000_0000n) {
      this.#fail("number is not an integer of 64 bits");
    }
    return exact;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #fail(reason: string): never {
    throw new WalferryError("JsonFormat", `invalid JSON at character ${this.#at + 1}: ${reason}`);
  }
}
