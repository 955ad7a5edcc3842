/** Compression types of the repository format and their file extensions (repository-format §8.1). No codec is loaded here. */

/** Values of the option `compress-type`. */
export const COMPRESS_TYPES = ["none", "bz2", "gz", "lz4", "zst"] as const;
export type CompressType = (typeof COMPRESS_TYPES)[number];

/** A compression setting; `level` absent = the type's default. */
export interface CompressSetting {
  readonly type: CompressType;
  readonly level?: number;
}

/** Extension with its dot, `""` for `none`. */
export function compressExtension(type: CompressType): string {
  return type === "none" ? "" : `.${type}`;
}

/** Type told by the extension of a file name; `none` when it has none of the known ones. */
export function compressTypeOfName(name: string): CompressType {
  return COMPRESS_TYPES.find((type) => type !== "none" && name.endsWith(`.${type}`)) ?? "none";
}
