/** The part of the report that tells what verifications came to: one row for each repository and mode. */
import { htmlTable } from "../report/html_page.ts";
import { formatDuration, formatLocalTime } from "../report/units.ts";
import type { StanzaInfo } from "./info_data.ts";

/** Nothing where no repository was ever looked at. */
export function verificationTable({ name, repositories }: StanzaInfo): string {
  const rows = repositories.flatMap(({ key, outlook }) =>
    (outlook?.verified ?? []).map(({ mode, time, durationSeconds, damages, repaired }) => ({
      cells: [
        `repo${key}`,
        mode,
        formatLocalTime(time * 1000),
        formatDuration(durationSeconds * 1000),
        damages === 0 ? '<span class="good">ok</span>' : `<span class="bad">${damages} missing or damaged</span>`,
        String(repaired),
      ],
    }))
  );
  if (rows.length === 0) return '<p class="soft">No repository was verified.</p>';
  return htmlTable(`Last verifications of ${name}`, [
    { title: "Repository" },
    { title: "Mode" },
    { title: "Ended" },
    { title: "Duration", isNumber: true },
    { title: "Result" },
    { title: "Repaired", isNumber: true },
  ], rows);
}
