/**
 * The syntax that `archive.info`, `backup.info` and `backup.manifest` share: sections, one JSON value a line, and a checksum over
 * all of it (repository-format §2.1-2.3). What the sections mean is not known here.
 */
import { WalferryError } from "../errors.ts";
import { sha1 } from "../stream/sha1.ts";
import { BACKREST_FORMAT } from "./format_number.ts";
import { compareBytes, type JsonValue, parseJson, renderString } from "./json.ts";

/** One `key=value` line. */
export interface InfoLine {
  readonly section: string;
  readonly key: string;
  readonly value: JsonValue;
  /** 1 for the first line of the file. */
  readonly line: number;
}

/** Longest line that is read, in characters. A manifest line of a file with many bad pages is the longest real one. */
const LINE_MAX = 16 * 1024 * 1024;

const encoder = new TextEncoder();

/** The running checksum: SHA-1 over a rendering of sections, keys and verbatim value text (§2.3). */
class InfoChecksum {
  readonly #hash = sha1().begin();
  #section: string | undefined;
  #pending = "{";

  add(section: string, key: string, valueText: string): void {
    if (section === this.#section) {
      if (section === "backrest" && key === "backrest-checksum") return;
      this.#pending += `,${renderString(key)}:${valueText}`;
    } else if (section !== "backrest" || key !== "backrest-checksum") {
      this.#pending += `${this.#section === undefined ? "" : "},"}"${section}":{${renderString(key)}:${valueText}`;
      this.#section = section;
    }
    if (this.#pending.length > 65536) this.#flush();
  }

  digestHex(): string {
    this.#pending += "}}";
    this.#flush();
    return this.#hash.digestHex();
  }

  #flush(): void {
    this.#hash.update(encoder.encode(this.#pending));
    this.#pending = "";
  }
}

/**
 * Reads a whole info file, checks its format number and its checksum, and gives its lines (without those of `[backrest]`).
 *
 * @throws WalferryError as {@link visitInfoFile}
 */
export function parseInfoFile(text: string): { lines: InfoLine[]; backrestVersion: string } {
  const lines: InfoLine[] = [];
  const backrestVersion = visitInfoFile(text, (line) => lines.push(line));
  return { lines, backrestVersion };
}

/**
 * Reads a whole info file line by line, so that the lines of a large one need not be held together.
 *
 * @param visit gets every line but those of `[backrest]`, before the checksum is known to be right; what it throws is thrown once it is
 * @returns `backrest-version`
 * @throws WalferryError `Format` for bad syntax or another format number, `JsonFormat` for a bad value, `Checksum` when the content
 * is not what was written.
 */
export function visitInfoFile(text: string, visit: (line: InfoLine) => void): string {
  const reader = new InfoFileReader(visit);
  reader.push(text);
  return reader.end();
}

/**
 * Takes a line of a form of which there are very many, and gives the length of its key; `undefined` leaves it, and every error in it, to the
 * ordinary way.
 */
export type KnownLines = (section: string, line: string) => number | undefined;

/** Reads an info file whose text comes in pieces: {@link visitInfoFile} for what is too long to be one string. */
export class InfoFileReader {
  readonly #visit: (line: InfoLine) => void;
  readonly #takeKnown: KnownLines | undefined;
  readonly #checksum = new InfoChecksum();
  #refused: { readonly reason: unknown } | undefined;
  #section: string | undefined;
  #format: JsonValue | undefined;
  #backrestVersion: JsonValue | undefined;
  #expected: JsonValue | undefined;
  #number = 0;
  /** The line that the last piece ended in. */
  #begun = "";

  /**
   * @param visit as that of {@link visitInfoFile}
   * @param takeKnown is offered every line first
   */
  constructor(visit: (line: InfoLine) => void, takeKnown?: KnownLines) {
    this.#visit = visit;
    this.#takeKnown = takeKnown;
  }

  /** Takes the next piece, which may end anywhere in a line. @throws WalferryError as {@link visitInfoFile} */
  push(piece: string): void {
    let from = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", from)) {
      const line = this.#begun + piece.slice(from, end);
      this.#begun = "";
      from = end + 1;
      this.#line(line);
    }
    this.#begun += piece.slice(from);
    this.#assertShort(this.#begun, this.#number + 1);
  }

  /** There is no more. @returns and throws what {@link visitInfoFile} does */
  end(): string {
    if (this.#begun !== "") this.#line(this.#begun);
    const actual = this.#checksum.digestHex();
    const expected = this.#expected;
    if (typeof expected !== "string") {
      throw new WalferryError("Checksum", `invalid checksum, actual '${actual}' but no checksum found`);
    }
    if (expected !== actual) {
      throw new WalferryError("Checksum", `invalid checksum, actual '${actual}' but expected '${printable(expected)}'`);
    }
    if (this.#format === undefined) throw new WalferryError("Format", "backrest-format is missing");
    if (typeof this.#backrestVersion !== "string") throw new WalferryError("Format", "backrest-version is missing");
    if (this.#refused !== undefined) throw this.#refused.reason;
    return this.#backrestVersion;
  }

  #line(line: string): void {
    const number = ++this.#number;
    if (line === "") return;
    this.#assertShort(line, number);
    if (line.startsWith("[") && line.endsWith("]")) {
      this.#section = line.slice(1, -1);
      if (this.#section === "") throw new WalferryError("Format", `section has no name at line ${number}`);
      return;
    }
    const section = this.#section;
    if (section === undefined) {
      throw new WalferryError("Format", `key/value found outside of section at line ${number}: ${printable(line)}`);
    }
    const known = this.#refused === undefined ? this.#takeKnown?.(section, line) : undefined;
    if (known !== undefined) return this.#checksum.add(section, line.slice(0, known), line.slice(known + 1));
    const { key, valueText, value } = splitLine(line, number);
    this.#checksum.add(section, key, valueText);
    if (section !== "backrest") this.#offer({ section, key, value, line: number });
    else if (key === "backrest-format") {
      if (value !== BACKREST_FORMAT) {
        throw new WalferryError("Format", `expected format ${BACKREST_FORMAT} but found ${printable(valueText)}`);
      }
      this.#format = value;
    } else if (key === "backrest-version") this.#backrestVersion = value;
    else if (key === "backrest-checksum") this.#expected = value;
  }

  #offer(line: InfoLine): void {
    try {
      if (this.#refused === undefined) this.#visit(line);
    } catch (error) {
      // In a damaged file this is only a symptom: the checksum tells first.
      this.#refused = { reason: error };
    }
  }

  #assertShort(line: string, number: number): void {
    if (line.length <= LINE_MAX) return;
    throw new WalferryError("Format", `line ${number} is longer than ${LINE_MAX} characters`);
  }
}

/** A key may hold `=`: the value begins behind the first `=` after which the rest is JSON (§2.1). */
function splitLine(line: string, number: number): { key: string; valueText: string; value: JsonValue } {
  let failure: unknown;
  for (let at = line.indexOf("="); at !== -1; at = line.indexOf("=", at + 1)) {
    const valueText = line.slice(at + 1);
    // Looking at the first character first keeps a name full of `=` from being parsed once per `=`.
    if (!/^\s*["{\[\d\-tfn]/.test(valueText)) continue;
    try {
      const value = parseJson(valueText);
      if (at === 0) throw new WalferryError("Format", `key is zero-length at line ${number}`);
      return { key: line.slice(0, at), valueText, value };
    } catch (error) {
      if (error instanceof WalferryError && error.kind !== "JsonFormat") throw error;
      failure ??= error;
    }
  }
  if (!line.includes("=")) {
    throw new WalferryError("Format", `missing '=' in key/value at line ${number}: ${printable(line)}`);
  }
  throw new WalferryError("JsonFormat", `invalid JSON value at line ${number}`, { cause: failure });
}

/** True for a text that may be a key of an info file: nothing in a line stands for a line feed. */
export function isInfoKey(key: string): boolean {
  return key !== "" && !key.includes("\n");
}

/** Sections of a file to be written: name to (key, rendered JSON) pairs. */
export type InfoSections = Iterable<
  readonly [section: string, lines: Iterable<readonly [key: string, valueText: string]>]
>;

/**
 * Renders an info file in pieces: `[backrest]` first, then the sections in the order given (the caller sorts), then the checksum.
 * Sections without lines are left out.
 * @throws WalferryError `Format` for a key that could not be read again: nothing is better than what looks complete and cannot be used
 */
export function* renderInfoFile(backrestVersion: string, sections: InfoSections): Generator<string> {
  const checksum = new InfoChecksum();
  const head: Array<readonly [string, string]> = [
    ["backrest-format", String(BACKREST_FORMAT)],
    ["backrest-version", renderString(backrestVersion)],
  ];
  let piece = "";
  let first = true;
  for (const [section, lines] of [["backrest", head] as const, ...sections]) {
    let opened = false;
    for (const [key, valueText] of lines) {
      if (!opened) piece += `${first ? "" : "\n"}[${section}]\n`;
      opened = true;
      first = false;
      if (!isInfoKey(key)) {
        throw new WalferryError(
          "Format",
          `${renderString(key)} in section '${section}' cannot be a key of an info file`,
        );
      }
      checksum.add(section, key, valueText);
      piece += `${key}=${valueText}\n`;
      if (piece.length > 65536) {
        yield piece;
        piece = "";
      }
    }
  }
  yield `${piece}\n[backrest]\nbackrest-checksum="${checksum.digestHex()}"\n`;
}

/** Sorts keys as the format does. */
export function sortedByKey<T>(entries: Iterable<readonly [string, T]>): Array<readonly [string, T]> {
  return [...entries].sort(([a], [b]) => compareBytes(a, b));
}

/** Text of a foreign file for a message: short and without control characters. */
function printable(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  // deno-lint-ignore no-control-regex
  return short.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}
