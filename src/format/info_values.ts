/** Typed access to the values of an info file: every getter names the line when the value is not what it must be. */
import { WalferryError } from "../errors.ts";
import type { InfoLine } from "./info_file.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** The members of one JSON object (or the keys of one section), with the place where they stand for messages. */
export class InfoValues {
  readonly #members: ReadonlyMap<string, JsonValue>;
  readonly #where: string;

  constructor(members: ReadonlyMap<string, JsonValue>, where: string) {
    this.#members = members;
    this.#where = where;
  }

  /** Members of the object that a line holds. @throws WalferryError `JsonFormat` when it holds something else. */
  static ofLine(line: InfoLine): InfoValues {
    const value = line.value;
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw new WalferryError("JsonFormat", `expected an object in section '${line.section}' at line ${line.line}`);
    }
    return new InfoValues(new Map(Object.entries(value)), `in section '${line.section}' at line ${line.line}`);
  }

  /** Keys of one section. */
  static ofSection(lines: readonly InfoLine[], section: string): InfoValues {
    const members = new Map<string, JsonValue>();
    for (const line of lines) if (line.section === section) members.set(line.key, line.value);
    return new InfoValues(members, `in section '${section}'`);
  }

  raw(key: string): JsonValue | undefined {
    return this.#members.get(key);
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.#missing(key);
  }

  /** Absent and `null` are both `undefined`. */
  optionalString(key: string): string | undefined {
    const value = this.#members.get(key);
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : this.#wrong(key, "a string");
  }

  /** A whole number from 0 to 2^53 - 1. */
  integer(key: string): number {
    return this.optionalInteger(key) ?? this.#missing(key);
  }

  optionalInteger(key: string): number | undefined {
    const value = this.#members.get(key);
    if (value === undefined) return undefined;
    return typeof value === "number" && value >= 0 ? value : this.#wrong(key, "a whole number");
  }

  /** An unsigned integer of 64 bits. */
  bigint(key: string): bigint {
    const value = this.#members.get(key);
    if (value === undefined) return this.#missing(key);
    if (typeof value === "bigint" && value >= 0n) return value;
    return typeof value === "number" && value >= 0 ? BigInt(value) : this.#wrong(key, "a whole number");
  }

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? this.#missing(key);
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#members.get(key);
    if (value === undefined) return undefined;
    return typeof value === "boolean" ? value : this.#wrong(key, "true or false");
  }

  optionalStrings(key: string): string[] | undefined {
    const value = this.#members.get(key);
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      return this.#wrong(key, "a list of strings");
    }
    return value as string[];
  }

  /** An object whose values are all strings. */
  optionalStringMap(key: string): Map<string, string> | undefined {
    const value = this.#members.get(key);
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return this.#wrong(key, "an object");
    return new Map(
      Object.entries(value as JsonObject).map((
        [name, text],
      ) => [name, typeof text === "string" ? text : this.#wrong(name, "a string")]),
    );
  }

  #missing(key: string): never {
    throw new WalferryError("JsonFormat", `required key '${key}' not found ${this.#where}`);
  }

  #wrong(key: string, expected: string): never {
    throw new WalferryError("JsonFormat", `key '${key}' ${this.#where} must be ${expected}`);
  }
}
