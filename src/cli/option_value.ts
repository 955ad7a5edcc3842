/** From the text of an option to its value, by type (behaviour spec §1.7). */
import { WalferryError } from "../errors.ts";
import type { OptionDeclaration } from "./option_declaration.ts";

/** Value of one option: sizes in bytes, times in milliseconds. */
export type OptionValue = boolean | number | string | readonly string[] | ReadonlyMap<string, string>;

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 0,
  b: 0,
  k: 1,
  kb: 1,
  kib: 1,
  m: 2,
  mb: 2,
  mib: 2,
  g: 3,
  gb: 3,
  gib: 3,
  t: 4,
  tb: 4,
  tib: 4,
  p: 5,
  pb: 5,
  pib: 5,
};
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1000,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * The value of an option.
 * @param name name as it is called in messages, with its index
 * @param texts what was written: one text, several for lists and hashes
 * @param where file and line, or the like, for messages
 * @throws WalferryError `OptionInvalidValue`, `OptionInvalid`
 */
export function parseOptionValue(
  option: OptionDeclaration,
  name: string,
  texts: readonly string[],
  where: string,
): OptionValue {
  const fail = (hint: string): never => {
    const shown = option.secure ? "<redacted>" : texts.join(" ");
    throw new WalferryError("OptionInvalidValue", `'${shown}' is not valid for '${name}' option${where}`, { hint });
  };
  if (texts.some((text) => text === "")) {
    throw new WalferryError("OptionInvalidValue", `'${name}' must not be empty${where}`);
  }
  if (option.type === "list") return texts;
  if (option.type === "hash") return parseHash(name, texts, where);
  if (texts.length !== 1) {
    throw new WalferryError("OptionInvalid", `option '${name}' cannot be set multiple times${where}`);
  }
  const text = texts[0]!;
  switch (option.type) {
    case "boolean":
      return text === "y" || text === "n" ? text === "y" : fail("allowed are y and n");
    case "integer":
      return inRange(
        option,
        /^[+-]?\d{1,15}$/.test(text) ? Number(text) : fail("a whole number is expected"),
        String,
        fail,
      );
    case "size": {
      const size = parseSize(text) ?? fail("a number is expected, with a unit such as KiB, MiB, GiB");
      if (option.allowed === undefined) return inRange(option, size, showSize, fail);
      return option.allowed.some((known) => parseSize(known) === size)
        ? size
        : fail(`allowed are ${option.allowed.join(", ")}`);
    }
    case "time":
      return inRange(
        option,
        parseTime(text) ?? fail("a number is expected, with a unit such as ms, s, m, h, d, w"),
        showTime,
        fail,
      );
    case "path":
      return parsePath(text) ?? fail("a path must begin with / and must not hold //");
    case "string-id":
    case "bool-like":
      return option.allowed === undefined || option.allowed.includes(text)
        ? text
        : fail(`allowed are ${option.allowed.join(", ")}`);
    case "string":
      return text;
  }
}

function inRange(
  option: OptionDeclaration,
  value: number,
  show: (value: number) => string,
  fail: (hint: string) => never,
): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = option;
  if (value >= min && value <= max) return value;
  return fail(`allowed is ${show(min)} to ${show(max)}`);
}

/** Bytes of `8KiB`, `2g`, `100`; `undefined` when it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15})([a-z]*)$/.exec(text.toLowerCase());
  const exponent = match === null ? undefined : SIZE_UNITS[match[2]!];
  return exponent === undefined ? undefined : Number(match![1]) * 1024 ** exponent;
}

/** Milliseconds of `500ms`, `2h`, `0.5`, `60`; `undefined` when it is no time. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)([a-z]*)$/.exec(text.toLowerCase());
  const factor = match === null ? undefined : TIME_UNITS[match[2]!];
  return factor === undefined ? undefined : Math.round(Number(match![1]) * factor);
}

function parsePath(text: string): string | undefined {
  if (!text.startsWith("/") || text.includes("//") || text.includes("\0")) return undefined;
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}

function parseHash(name: string, texts: readonly string[], where: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) {
      throw new WalferryError("OptionInvalid", `key/value '${text}' not valid for '${name}' option${where}`, {
        hint: "key=value is expected",
      });
    }
    map.set(text.slice(0, at), text.slice(at + 1));
  }
  return map;
}

/** A value as it would be written, for begin lines and `config-check`. */
export function showOptionValue(option: OptionDeclaration, value: OptionValue): string {
  if (option.secure) return "<redacted>";
  if (typeof value === "boolean") return value ? "y" : "n";
  if (typeof value === "number") {
    return option.type === "time" ? showTime(value) : option.type === "size" ? showSize(value) : String(value);
  }
  if (typeof value === "string") return value;
  if (value instanceof Map) return [...value].map(([key, text]) => `${key}=${text}`).join(", ");
  return (value as readonly string[]).join(", ");
}

function showTime(ms: number): string {
  for (
    const [unit, factor] of [["w", 604_800_000], ["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], [
      "s",
      1000,
    ]] as const
  ) {
    if (ms !== 0 && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

function showSize(bytes: number): string {
  for (const [unit, exponent] of [["PiB", 5], ["TiB", 4], ["GiB", 3], ["MiB", 2], ["KiB", 1]] as const) {
    if (bytes !== 0 && bytes % 1024 ** exponent === 0) return `${bytes / 1024 ** exponent}${unit}`;
  }
  return `${bytes}B`;
}
