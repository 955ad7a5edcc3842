/**
 * What the last verification of each mode came to: `walferry/<stanza>/verified/<mode>.json` in the repository that was verified, so that every
 * host that sees the repository knows. One file for each mode: a quick look never takes the place of a full one.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { type JsonValue, parseJson, renderJson } from "../format/json.ts";
import { collect } from "../stream/sources.ts";
import { decodeText, type Repository } from "./repository.ts";

/** Modes of verify, the most thorough first. */
export const VERIFICATION_MODES = ["full", "since-last", "sample", "quick"] as const;
export type VerificationMode = (typeof VERIFICATION_MODES)[number];

export interface VerificationResult {
  readonly mode: VerificationMode;
  /** Its end, seconds since the epoch. */
  readonly time: number;
  /** How long it took, seconds. */
  readonly durationSeconds: number;
  /** Things that were missing or damaged when it ended, after any repair. */
  readonly damages: number;
  /** Things that were repaired. */
  readonly repaired: number;
  /** The cluster that the stanza was of; absent when no info file told. */
  readonly systemId: bigint | undefined;
}

const RESULT_BYTES_MAX = 64 * 1024;
const FORMAT = 1;

/** Keeps the result of a run that came to its end. @throws WalferryError of the store */
export async function saveVerification(
  repository: Repository,
  stanza: string,
  { mode, time, durationSeconds, damages, repaired, systemId }: VerificationResult,
): Promise<void> {
  const text = renderJson({
    damage: damages,
    duration: durationSeconds,
    format: FORMAT,
    repaired,
    ...(systemId === undefined ? {} : { "system-id": String(systemId) }),
    time,
  });
  await repository.storage.write(pathOf(stanza, mode), new TextEncoder().encode(`${text}\n`));
}

/**
 * Results by mode, and for each that cannot be understood why.
 *
 * @param systemIds of the clusters that the stanza has belonged to: what was found of another one, before the stanza was made anew, says nothing
 * @throws WalferryError of the store
 */
export async function readVerifications(
  repository: Repository,
  stanza: string,
  systemIds: ReadonlySet<bigint>,
  signal?: AbortSignal,
): Promise<{ readonly results: readonly VerificationResult[]; readonly unknown: readonly string[] }> {
  const unknown: string[] = [];
  const found = await Promise.all(VERIFICATION_MODES.map(async (mode) => {
    const stream = await repository.storage.read(pathOf(stanza, mode), { signal });
    if (stream === undefined) return undefined;
    try {
      return parseVerification(mode, decodeText(await collect(stream, RESULT_BYTES_MAX)));
    } catch (thrown) {
      const error = toWalferryError(thrown);
      if (error.kind !== "Format" && error.kind !== "JsonFormat") throw error;
      unknown.push(`the last verification (${mode}) is not known: ${error.message}`);
      return undefined;
    }
  }));
  const isOfStanza = ({ systemId }: VerificationResult) => systemId === undefined || systemIds.has(systemId);
  return {
    results: found.filter((result) => result !== undefined && isOfStanza(result)) as VerificationResult[],
    unknown,
  };
}

/** @throws WalferryError `Format`, `JsonFormat` */
export function parseVerification(mode: VerificationMode, text: string): VerificationResult {
  const root = parseJson(text.trimEnd());
  if (typeof root !== "object" || root === null || Array.isArray(root) || root["format"] !== FORMAT) {
    throw new WalferryError("Format", "the result is of another format");
  }
  return {
    mode,
    time: countOf(root["time"]),
    durationSeconds: countOf(root["duration"]),
    damages: countOf(root["damage"]),
    repaired: countOf(root["repaired"]),
    systemId: systemIdOf(root["system-id"]),
  };
}

function systemIdOf(value: JsonValue | undefined): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt(value);
  throw new WalferryError("Format", "the result is not what this version writes");
}

function countOf(value: JsonValue | undefined): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new WalferryError("Format", "the result is not what this version writes");
}

/** Results that say something: what a more thorough run found later stands for the others. The most thorough first. */
export function standingResults(results: readonly VerificationResult[]): VerificationResult[] {
  const rank = ({ mode }: VerificationResult) => VERIFICATION_MODES.indexOf(mode);
  return results.filter((one) => !results.some((other) => rank(other) < rank(one) && other.time >= one.time))
    .sort((a, b) => rank(a) - rank(b));
}

function pathOf(stanza: string, mode: VerificationMode): string {
  return `${resultsPath(stanza)}/${mode}.json`;
}

/** Directory of the results. */
export function resultsPath(stanza: string): string {
  return `walferry/${stanza}/verified`;
}
