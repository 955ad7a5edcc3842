/** A page of HTML that stands by itself: no script, nothing fetched, light or dark as the reader's system is. */
import { STYLE } from "./html_style.ts";

/** Text as it may stand in HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** The whole page. */
export function htmlPage(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#content">to the content</a>
<main id="content" tabindex="-1">
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
  /** Sentences, which may be broken into lines. */
  readonly isWords?: boolean;
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
    const style = columns[at]!.isNumber ? ' class="number"' : columns[at]!.isWords ? ' class="words"' : "";
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

/** A thing and what is said of it, in HTML. */
export type Fact = readonly [name: string, value: string];

/** A list of facts. */
export function htmlFacts(facts: readonly Fact[]): string {
  return `<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${value}</dd>`).join("")}</dl>`;
}
