/** `repoN-block-*` as typed values (behaviour spec §9.4 for what holds where nothing is said). */
import { WalferryError } from "../errors.ts";
import type { BlockConfig, ThresholdMap } from "../repository/config.ts";
import type { Configuration } from "./configuration.ts";
import { KIB, MIB } from "./option_units.ts";
import { parseSize } from "./option_value.ts";

const DAY_SECONDS = 86_400;
/** Blocks are counted in pages of this size. */
const BLOCK_UNIT_BYTES = 8 * KIB;
/** What a file may be cut into, in bytes: blocks are held in memory. */
const BLOCK_BYTES_MAX = 64 * MIB;
/** A checksum is the beginning of a digest of 16 bytes; shorter ones than this would take changed blocks for unchanged. */
const CHECKSUM_BYTES = [6, 16] as const;

/** A map of a block needs no more than a block, so that little is read before it is known what has changed. */
const SIZES: ThresholdMap = [
  [914 * MIB, 88 * KIB],
  [740 * MIB, 80 * KIB],
  [585 * MIB, 72 * KIB],
  [448 * MIB, 64 * KIB],
  [329 * MIB, 56 * KIB],
  [228 * MIB, 48 * KIB],
  [146 * MIB, 40 * KIB],
  [96 * MIB, 32 * KIB],
  [43 * MIB, 24 * KIB],
  [11 * MIB, 16 * KIB],
  [16 * KIB, 8 * KIB],
];
const AGES: ThresholdMap = [[28 * DAY_SECONDS, 0], [14 * DAY_SECONDS, 4], [7 * DAY_SECONDS, 2]];
const CHECKSUMS: ThresholdMap = [
  [4 * MIB, 12],
  [2 * MIB, 11],
  [MIB, 10],
  [512 * KIB, 9],
  [128 * KIB, 8],
  [32 * KIB, 7],
];

/** `undefined`: files are stored whole. @throws WalferryError `OptionInvalidValue` */
export function blockConfig(config: Configuration, key: number): BlockConfig | undefined {
  if (!config.optionalBoolean("repo-block", key)) return undefined;
  const size = (text: string) => parseSize(text) ?? NaN;
  const block = (text: string) => {
    const bytes = size(text);
    return bytes % BLOCK_UNIT_BYTES === 0 && bytes > 0 && bytes <= BLOCK_BYTES_MAX ? bytes : NaN;
  };
  const whole = (text: string) => /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  const checksum = (text: string) => {
    const bytes = whole(text);
    return bytes >= CHECKSUM_BYTES[0] && bytes <= CHECKSUM_BYTES[1] ? bytes : NaN;
  };
  return {
    sizeMap: thresholds(config, "repo-block-size-map", key, size, block) ?? SIZES,
    ageMap: thresholds(config, "repo-block-age-map", key, (text) => whole(text) * DAY_SECONDS, whole) ?? AGES,
    checksumMap: thresholds(config, "repo-block-checksum-size-map", key, size, checksum) ?? CHECKSUMS,
    superBytes: config.number("repo-block-size-super", key),
    superFullBytes: config.number("repo-block-size-super-full", key),
  };
}

function thresholds(
  config: Configuration,
  name: string,
  key: number,
  threshold: (text: string) => number,
  value: (text: string) => number,
): ThresholdMap | undefined {
  const given = config.hash(name, key);
  if (given.size === 0) return undefined;
  return [...given].map(([from, to]) => {
    const pair = [threshold(from), value(to)] as const;
    if (pair.some(Number.isNaN)) {
      throw new WalferryError(
        "OptionInvalidValue",
        `'${from}=${to}' is not valid for '${name.replace("repo", `repo${key}`)}' option`,
        {
          hint: "sizes of blocks are multiples of 8KiB up to 64MiB, ages whole days, checksums 6 to 16 bytes.",
        },
      );
    }
    return pair;
  }).sort(([a], [b]) => b - a);
}
