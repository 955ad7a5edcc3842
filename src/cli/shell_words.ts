/** Words of command lines that PostgreSQL gives to a shell. */

/** For the shell that PostgreSQL runs; `%` would be taken by PostgreSQL itself. */
export function quoted(word: string): string {
  const safe = word.replaceAll("%", "%%");
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replace(/["\\$`]/g, "\\$&")}"`;
}
