/** What verify finds wrong, and a list of it that cannot grow without bound. */

import { compareBytes } from "../format/json.ts";

/**
 * - `missing`: a file or segment that something names is not there
 * - `checksum`: content is not what its hash says, or cannot be decrypted or decompressed
 * - `size`: shorter or longer than it must be
 * - `unreadable`: the store has it and does not give it
 * - `mismatch`: two things that must agree do not
 * - `gap`: WAL is not continuous
 * - `duplicate`: one segment with different content
 * - `unfinished`: a backup that never became complete
 * - `orphan`: something whole that nothing refers to
 * - `stray`: something that does not belong in a repository
 */
export type FindingKind =
  | "missing"
  | "checksum"
  | "size"
  | "unreadable"
  | "mismatch"
  | "gap"
  | "duplicate"
  | "unfinished"
  | "orphan"
  | "stray";

export interface Finding {
  readonly kind: FindingKind;
  /** `damage`: a restore could need it. `notice`: nothing is lost. */
  readonly severity: "damage" | "notice";
  /** Path in the repository; of missing WAL the first segment without its hash. */
  readonly path: string;
  /** One sentence, without the path. */
  readonly message: string;
  readonly archiveId?: string;
  /** The backup that it belongs to. */
  readonly label?: string;
  /**
   * Each of two things is whole, and they do not agree: `infos`: the info files of a stanza; `entry`: a manifest and its line in `backup.info`;
   * `references`: it refers to what is not listed; `files`: manifests on where a file is stored.
   */
  readonly disagreement?: "infos" | "entry" | "references" | "files";
  /** Put right, and from where. */
  repaired?: string;
  /** Missing WAL: first and last segment. */
  readonly segments?: { readonly start: string; readonly stop: string };
}

/** So many of each severity are kept with their words, so that no number of notices hides a damage; the rest is only counted. */
const KEPT_MAX = 10_000;

export class FindingList {
  readonly #kept: Finding[] = [];
  readonly #added = { damage: 0, notice: 0 };
  #omitted = 0;
  #omittedDamages = 0;

  add(finding: Finding): void {
    if (this.#added[finding.severity]++ < KEPT_MAX) this.#kept.push(finding);
    else {
      this.#omitted += 1;
      if (finding.severity === "damage") this.#omittedDamages += 1;
    }
  }

  /** Takes back what a second look did not confirm. */
  drop(isGone: (finding: Finding) => boolean): void {
    this.#kept.splice(0, this.#kept.length, ...this.#kept.filter((finding) => !isGone(finding)));
  }

  /** By path, whatever the order in which workers found them. */
  sort(): void {
    this.#kept.sort((a, b) => compareBytes(a.path, b.path) || compareBytes(a.message, b.message));
  }

  get kept(): readonly Finding[] {
    return this.#kept;
  }

  /** Findings beyond those that are kept. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Damages that are still there. */
  get damages(): number {
    return this.#omittedDamages +
      this.#kept.filter(({ severity, repaired }) => severity === "damage" && repaired === undefined).length;
  }

  /** Damages that were put right. */
  get repairs(): number {
    return this.#kept.filter(({ repaired }) => repaired !== undefined).length;
  }

  /** @param from where the right one came from */
  markRepaired(finding: Finding, from: string): void {
    finding.repaired = from;
  }
}

/** Numbers of things that were looked at, by what came of it; the words are pgBackRest's. */
export interface Tally {
  checked: number;
  missing: number;
  checksum: number;
  size: number;
  other: number;
}

export function emptyTally(): Tally {
  return { checked: 0, missing: 0, checksum: 0, size: 0, other: 0 };
}

/** Things that are as they must be. */
export function validOf(tally: Tally): number {
  return tally.checked - tally.missing - tally.checksum - tally.size - tally.other;
}

/** Counts one thing that is not as it must be. */
export function countInvalid(tally: Tally, kind: FindingKind, count = 1): void {
  if (kind === "missing" || kind === "checksum" || kind === "size") tally[kind] += count;
  else tally.other += count;
}
