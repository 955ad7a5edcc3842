/** A page of HTML that stands by itself: no script, nothing fetched, light or dark as the reader's system is. */

/** Text as it may stand in HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** The colours differ in lightness as well, and nothing is told by colour alone. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #56606e; --paper: #ffffff; --band: #f1f4f8; --line: #cfd6df;
  --full: #0b4f9e; --diff: #2f86d6; --incr: #5590c8; --wal: #2e7d4f; --bad: #b3261e; --good: #1d6b3c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #a3adba; --paper: #14181e; --band: #1e242c;
  --line: #39424e; --full: #9ccbff; --diff: #5aa2ea; --incr: #3a6ea5; --wal: #6cc08f; --bad: #ff8a80; --good: #7fd3a0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 4rem; max-width: 78rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: .5rem 0 0; font-size: 1.6rem; } h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; } .soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); }
a { color: inherit; } :focus-visible, :target { outline: 3px solid var(--diff); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; } .skip:focus { position: static; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline-offset: -3px; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: start; font-weight: 600; padding: .25rem 0; }
th, td { padding: .3rem .6rem; text-align: start; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
thead th { background: var(--band); } td.number, th.number { text-align: end; }
.bar { display: block; height: .3rem; margin-top: .15rem; background: var(--diff); min-width: 1px; }
svg { display: block; width: 100%; min-width: 40rem; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .soft { fill: var(--soft); color: var(--soft); }
svg .full { fill: var(--full); } svg .diff { fill: var(--diff); } svg .incr { fill: var(--incr); } svg .wal { fill: var(--wal); }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
@media print { body { max-width: none; } .skip { display: none; } }
`;

/** The whole page. */
export function htmlPage(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#content">to the content</a>
<main id="content">
${body}
</main>
</body>
</html>
`;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** A row: cells of HTML, and the name that links lead to. */
export interface HtmlRow {
  readonly id?: string;
  readonly cells: readonly string[];
}

/** A table that scrolls by itself when it is too wide, with the keyboard too. The first cell of a row is its heading. */
export function htmlTable(caption: string, columns: readonly Column[], rows: readonly HtmlRow[]): string {
  const heads = columns.map(({ title, isNumber }) =>
    `<th scope="col"${isNumber ? ' class="number"' : ""}>${escapeHtml(title)}</th>`
  );
  const cell = (content: string, at: number) => {
    const style = columns[at]!.isNumber ? ' class="number"' : "";
    return at === 0 ? `<th scope="row"${style}>${content}</th>` : `<td${style}>${content}</td>`;
  };
  const lines = rows.map(({ id, cells }) =>
    `<tr${id === undefined ? "" : ` id="${escapeHtml(id)}" tabindex="-1"`}>${cells.map(cell).join("")}</tr>`
  );
  return `<div class="scroll" role="region" aria-label="${escapeHtml(caption)}" tabindex="0"><table>
<caption>${escapeHtml(caption)}</caption>
<thead><tr>${heads.join("")}</tr></thead>
<tbody>
${lines.join("\n")}
</tbody>
</table></div>`;
}
