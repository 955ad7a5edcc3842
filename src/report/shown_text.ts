/** Texts of others on a terminal: names of files, notes, errors of a server. What would steer the terminal is shown as its escape. */

// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;
// deno-lint-ignore no-control-regex
const CONTROLS_IN_LINES = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A text whose lines are shown on a terminal: what else than a line feed or a tab controls it is shown as its escape. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS_IN_LINES, escaped);
}

/** A name, which is one line whatever is in it. */
export function shownName(name: string): string {
  return name.replace(CONTROLS, escaped);
}
