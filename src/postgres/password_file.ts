/**
 * Passwords out of a password file, as the client library of PostgreSQL reads it. Source of the format: PostgreSQL documentation, "The Password
 * File", and `passwordFromFile` in `src/interfaces/libpq/fe-connect.c`.
 */

/** Who wants to connect where. */
export interface PasswordQuery {
  /** Names of the host, of which a line may have any. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** What a password file says. */
export interface PasswordFound {
  readonly password?: string;
  /** Why a file that is there was not read. */
  readonly ignored?: string;
}

/** Nobody but its owner may do anything with the file. */
const OTHERS = 0o077;

/** The password of the first line that fits. A file that is not there has none. */
export function passwordFrom(path: string, query: PasswordQuery): PasswordFound {
  let text: string;
  try {
    const { isFile, mode } = Deno.statSync(path);
    if (!isFile) return { ignored: "it is no plain file" };
    if (((mode ?? 0) & OTHERS) !== 0) return { ignored: "group or others have access: its mode must be 0600 or less" };
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return {};
    return { ignored: error instanceof Error ? error.message : String(error) };
  }
  for (const line of text.split(/\r?\n/)) {
    const password = line.startsWith("#") ? undefined : passwordOf(line, query);
    if (password !== undefined) return { password };
  }
  return {};
}

function passwordOf(line: string, { hosts, port, database, user }: PasswordQuery): string | undefined {
  const fields = fieldsOf(line);
  const wanted = [hosts, [String(port)], [database], [user]];
  const fits = wanted.every((values, at) => fields[at] === "*" || values.includes(plain(fields[at] ?? "")));
  const password = fields[wanted.length];
  return fits && password ? plain(password) : undefined;
}

/** What stands between colons that have no backslash in front of them. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  let field = "";
  for (let at = 0; at < line.length; at++) {
    if (line[at] === ":") {
      fields.push(field);
      field = "";
    } else {
      const isProtected = line[at] === "\\" && at + 1 < line.length;
      field += isProtected ? line.slice(at, ++at + 1) : line.charAt(at);
    }
  }
  fields.push(field);
  return fields;
}

/** A field without the backslashes that protect its characters. */
function plain(field: string): string {
  return field.replace(/\\(.)/g, "$1");
}
