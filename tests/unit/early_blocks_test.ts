/** Backups in blocks of versions in which they were a trial are told by the version of their writer. */
import type { BackupInfo, BackupInfoEntry } from "../../src/format/backup_info.ts";
import type { Manifest, ManifestFile } from "../../src/format/manifest.ts";
import { earlyBlocks } from "../../src/repository/early_blocks.ts";
import { assertEquals } from "../support/assert.ts";

const FULL = "20260101-000000F";
const INCR = "20260101-000000F_20260102-000000I";

function entry(label: string, backrestVersion: string, repoSizeMapBytes?: number): BackupInfoEntry {
  return { label, backrestVersion, repoSizeMapBytes } as BackupInfoEntry;
}

/** Label of the backup that is in the way of reading the incremental one. */
function inTheWay(full: BackupInfoEntry, incr: BackupInfoEntry, file: Partial<ManifestFile>): string | undefined {
  const manifest = { label: INCR, references: [FULL, INCR], files: [{ name: "pg_data/a", ...file } as ManifestFile] };
  return earlyBlocks(
    manifest as Partial<Manifest> as Manifest,
    { backups: [full, incr] } as Partial<BackupInfo> as BackupInfo,
  )?.label;
}

Deno.test("blocks of versions before 2.46 are refused, wherever in the chain they are", () => {
  const blocks = { blockMapBytes: 20 };
  assertEquals(inTheWay(entry(FULL, "2.45", 20), entry(INCR, "2.59.1", 20), blocks), FULL);
  assertEquals(inTheWay(entry(FULL, "2.46", 20), entry(INCR, "2.45", 20), blocks), INCR);
  assertEquals(inTheWay(entry(FULL, "2.46", 20), entry(INCR, "2.59.1", 20), blocks), undefined);
  assertEquals(inTheWay(entry(FULL, "2.46dev", 20), entry(INCR, "3.1", 20), blocks), undefined);
  // Whole files are the same in all versions.
  assertEquals(inTheWay(entry(FULL, "2.45"), entry(INCR, "2.59.1", 20), blocks), undefined);
  assertEquals(inTheWay(entry(FULL, "2.45", 20), entry(INCR, "2.45", 20), {}), undefined);
});
