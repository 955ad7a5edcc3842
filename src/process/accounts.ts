/**
 * Names and numbers of the operating system's users and groups. Read from `/etc/passwd` and `/etc/group`; accounts that live elsewhere
 * (LDAP, sssd) are asked for through `getent`, once each. No environment variable is believed.
 */

/** The accounts of this machine. */
export class Accounts {
  readonly #users = new Directory("/etc/passwd", "passwd");
  readonly #groups = new Directory("/etc/group", "group");

  /** Name of a user id, or `undefined` when it has none. */
  userName(id: number): string | undefined {
    return this.#users.nameOf(id);
  }

  /** Name of a group id, or `undefined` when it has none. */
  groupName(id: number): string | undefined {
    return this.#groups.nameOf(id);
  }

  /** Id of a user, or `undefined` when there is no such user. */
  userId(name: string): number | undefined {
    return this.#users.idOf(name);
  }

  /** Id of a group, or `undefined` when there is no such group. */
  groupId(name: string): number | undefined {
    return this.#groups.idOf(name);
  }
}

/** Name of the user that this process runs as; `undefined` when its id has no name. */
export function currentUserName(accounts: Accounts): string | undefined {
  const id = Deno.uid();
  return id === null ? undefined : accounts.userName(id);
}

/** One of the two databases: lines of fields between colons, the name first and the number third. */
class Directory {
  readonly #names = new Map<number, string | undefined>();
  readonly #ids = new Map<string, number | undefined>();
  readonly #database: string;

  constructor(path: string, database: string) {
    this.#database = database;
    let text = "";
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      // A container without the file has accounts without names; anything else is a fault of the machine.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    for (const line of text.split("\n")) this.#add(line);
  }

  nameOf(id: number): string | undefined {
    if (!this.#names.has(id)) this.#names.set(id, this.#ask(String(id))?.name);
    return this.#names.get(id);
  }

  idOf(name: string): number | undefined {
    // A name of digits would be taken for an id by getent.
    if (!this.#ids.has(name)) this.#ids.set(name, /^\d+$/.test(name) ? undefined : this.#ask(name)?.id);
    return this.#ids.get(name);
  }

  #add(line: string): { name: string; id: number } | undefined {
    const [name, , number] = line.split(":");
    if (!name || number === undefined || !/^\d+$/.test(number)) return undefined;
    const id = Number(number);
    // The first line of an id or a name wins, as in getpwuid(3).
    if (this.#names.get(id) === undefined) this.#names.set(id, name);
    if (this.#ids.get(name) === undefined) this.#ids.set(name, id);
    return { name, id };
  }

  #ask(key: string): { name: string; id: number } | undefined {
    try {
      const answer = new Deno.Command("getent", {
        args: [this.#database, "--", key],
        // The account may not be allowed into the current directory, and this needs nothing there.
        cwd: "/",
        stderr: "null",
      }).outputSync();
      return answer.success ? this.#add(new TextDecoder().decode(answer.stdout).trimEnd()) : undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }
}
