/** Who owns restored files: by name when root restores, everything to the current account otherwise (behaviour spec §5.6). */
import type { OwnerName } from "../format/manifest.ts";
import { Accounts, currentUserName } from "../process/accounts.ts";
import type { Log } from "../report/log.ts";
import { attempt, lstat } from "./local_files.ts";

/** Owner of a file or directory as a manifest says it. */
export interface OwnedEntry {
  readonly user: OwnerName;
  readonly group: OwnerName;
}

export class Owners {
  readonly #accounts = new Accounts();
  readonly #isRoot = Deno.uid() === 0;
  /** What names map to that this host does not know: the owner of the data directory as it was found, or root. */
  readonly #fallback: { readonly uid: number; readonly gid: number };

  constructor(basePath: string) {
    const base = lstat(basePath);
    this.#fallback = { uid: base?.uid ?? 0, gid: base?.gid ?? 0 };
  }

  /** Says once what cannot be kept. */
  warnAbout(lists: readonly Iterable<OwnedEntry>[], log: Log): void {
    const users = new Set<OwnerName>();
    const groups = new Set<OwnerName>();
    for (const entries of lists) {
      for (const { user, group } of entries) {
        users.add(user);
        groups.add(group);
      }
    }
    const me = currentUserName(this.#accounts);
    const myGroup = this.#accounts.groupName(Deno.gid() ?? 0);
    for (const user of users) {
      const known = this.#isRoot ? typeof user === "string" && this.#accounts.userId(user) !== undefined : user === me;
      if (!known) {
        log.warn(
          `unknown user '${user || "[none]"}' in backup manifest mapped to ${
            this.#isRoot ? "owner of the data directory" : "current user"
          }`,
        );
      }
    }
    for (const group of groups) {
      const known = this.#isRoot
        ? typeof group === "string" && this.#accounts.groupId(group) !== undefined
        : group === myGroup;
      if (!known) {
        log.warn(
          `unknown group '${group || "[none]"}' in backup manifest mapped to ${
            this.#isRoot ? "group of the data directory" : "current group"
          }`,
        );
      }
    }
  }

  /** Numbers for an entry, or `undefined` when nothing is to be changed (not root). */
  idsOf(entry: OwnedEntry): { readonly uid: number; readonly gid: number } | undefined {
    if (!this.#isRoot) return undefined;
    return {
      uid: (entry.user === false ? undefined : this.#accounts.userId(entry.user)) ?? this.#fallback.uid,
      gid: (entry.group === false ? undefined : this.#accounts.groupId(entry.group)) ?? this.#fallback.gid,
    };
  }

  /** Gives a file or directory its owner and mode. @throws WalferryError `FileOwner`, `FileMode` */
  apply(path: string, entry: OwnedEntry, mode: number): void {
    const ids = this.idsOf(entry);
    if (ids !== undefined) {
      attempt("FileOwner", `unable to set ownership for '${path}'`, () => Deno.chownSync(path, ids.uid, ids.gid));
    }
    attempt("FileMode", `unable to set mode for '${path}'`, () => Deno.chmodSync(path, mode));
  }

  /** Gives a link its owner, without following it. */
  applyToLink(path: string, entry: OwnedEntry): void {
    const ids = this.idsOf(entry);
    if (ids === undefined) return;
    const result = new Deno.Command("chown", {
      args: ["-h", `${ids.uid}:${ids.gid}`, path],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
    }).outputSync();
    if (!result.success) {
      attempt("FileOwner", `unable to set ownership for link '${path}'`, () => {
        throw new Error(new TextDecoder().decode(result.stderr).trim());
      });
    }
  }
}
