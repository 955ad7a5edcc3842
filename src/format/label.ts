/** Backup labels (repository-format §4): text and ordering, no clock. */

/** What a label says about its backup. */
export interface BackupLabel {
  readonly label: string;
  /** Label of the full backup of the set (the label itself for a full backup). */
  readonly full: string;
  readonly type: "full" | "diff" | "incr";
}

const PATTERN = /^(\d{8}-\d{6}F)(?:_\d{8}-\d{6}(D|I))?$/;

/** The parts of a label, or `undefined` when the text is none. */
export function parseLabel(text: string): BackupLabel | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  return { label: text, full: match[1]!, type: match[2] === undefined ? "full" : match[2] === "D" ? "diff" : "incr" };
}

/** True when the text has the shape of a backup label. */
export function isBackupLabel(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * Label of a backup that started at this moment: the local time of this machine, in whole seconds.
 * @param full label of the full backup of the set; needed for diff and incr.
 */
export function formatLabel(type: "full" | "diff" | "incr", startSeconds: number, full?: string): string {
  const date = new Date(startSeconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const time = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}-` +
    `${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
  return type === "full" ? `${time}F` : `${full}_${time}${type === "diff" ? "D" : "I"}`;
}
