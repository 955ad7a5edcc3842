/** What tells that a line of `backup.info` and a manifest are of one backup, in one repository or in two. */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import { entryOfManifest } from "../repository/backup_catalog.ts";

/** Sizes differ between versions of the writer, and notes are changed in the line only. */
const AGREED = [
  "type",
  "prior",
  "archiveStart",
  "archiveStop",
  "lsnStart",
  "lsnStop",
  "timestampStart",
  "timestampStop",
] as const;

/** What differs, in words; empty = one backup. The id of the cluster may differ between repositories and is not looked at. */
export function differencesOf(entry: BackupInfoEntry, manifest: Manifest): string[] {
  const said = entryOfManifest(manifest);
  const show = (value: unknown) => String(value ?? "none");
  return AGREED.filter((name) => said[name] !== entry[name])
    .map((name) => `${name} is ${show(said[name])} here and ${show(entry[name])} there`);
}
