/** What `backup.info` says of how a backup was made, for entries that tests make up. */
import type { BackupInfoEntry } from "../../src/format/backup_info.ts";

/** Of an ordinary backup of a running cluster. */
export const ONLINE: BackupInfoEntry["options"] = {
  archiveCheck: true,
  archiveCopy: false,
  backupStandby: false,
  checksumPage: true,
  compress: true,
  hardlink: false,
  online: true,
};
