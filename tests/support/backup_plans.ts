/** Plans of backups as tests look at them. */
import type { BackupPlan } from "../../src/backup/planner.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";

/** Entries of files that are not even read for this repository. */
export function referencesIn({ copies, entries }: BackupPlan, key: number): ManifestFile[] {
  const read = new Set<string>();
  for (const { file, targets } of copies) if (targets.has(key)) read.add(file.name);
  return [...entries.get(key)!].filter(({ name }) => !read.has(name));
}
