/** Asking the person at the terminal. */

/** Shows a question and waits for yes or no. Where nobody can answer it is a yes: who writes a script has decided. */
export function confirm(question: string): boolean {
  if (!Deno.stdin.isTerminal()) return true;
  const show = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  show(`${question}Apply? [y/N] `);
  const answer = new Uint8Array(64);
  const length = Deno.stdin.readSync(answer) ?? 0;
  return /^y(es)?$/i.test(new TextDecoder().decode(answer.subarray(0, length)).trim());
}
