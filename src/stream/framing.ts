/**
 * How compressed or encrypted content begins in a repository: `normal` as the tools of its type write it (gz: a gzip member; encryption: the
 * magic `Salted__` in front of the salt), `raw` without what only says so, inside bundles of newer sets (repository-format §6, §8).
 */
export type Framing = "normal" | "raw";
