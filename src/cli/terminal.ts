/** What the place that output goes to can show. */

export interface Terminal {
  readonly columns: number;
  /** Whether anything but ASCII arrives as it is meant. */
  readonly isUtf8: boolean;
}

/** Columns where there is no terminal to ask. */
const COLUMNS_DEFAULT = 80;

/** The terminal of standard output. */
export function terminalOfOutput(environment: (name: string) => string | undefined = Deno.env.get): Terminal {
  return { columns: columnsOfOutput(), isUtf8: isUtf8Locale(environment) };
}

/** The first that is set and not empty decides (POSIX, 8.2). */
export function isUtf8Locale(environment: (name: string) => string | undefined): boolean {
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(environment).find((value) => value !== undefined && value !== "");
  return locale !== undefined && /utf-?8/i.test(locale);
}

function columnsOfOutput(): number {
  if (!Deno.stdout.isTerminal() || !Deno.stdin.isTerminal()) return COLUMNS_DEFAULT;
  const { columns } = Deno.consoleSize();
  // A serial line has no size.
  return columns > 0 ? columns : COLUMNS_DEFAULT;
}
