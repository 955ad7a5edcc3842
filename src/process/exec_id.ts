/** Name of one run of the program, as it stands in lock files: `<pid>-<8 hex digits>`. */
export function makeExecId(): string {
  return `${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}
