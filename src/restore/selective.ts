/** Databases that are restored as zeros (behaviour spec §5.5). */
import { WalferryError } from "../errors.ts";
import type { Manifest, ManifestDatabase } from "../format/manifest.ts";
import type { RestoreOptions } from "./options.ts";

/** First oid that users get. PostgreSQL source: `FirstNormalObjectId`. */
const FIRST_USER_OID = 16384;
const SYSTEM_DATABASES = new Set(["postgres", "template0", "template1"]);

/** Tells which files are zeroed; always false when no database is chosen. @throws WalferryError `DbMissing`, `DbInvalid` */
export function zeroedFiles(manifest: Manifest, options: RestoreOptions): (name: string) => boolean {
  if (options.dbInclude.length === 0 && options.dbExclude.length === 0) return () => false;
  const include = options.dbInclude.map((word) => databaseNamed(manifest, word, "include"));
  const exclude = options.dbExclude.map((word) => databaseNamed(manifest, word, "exclude"));
  for (const database of include) {
    if (isSystem(database)) {
      throw new WalferryError("DbInvalid", `system databases (template0, postgres, etc.) are included by default`);
    }
    if (exclude.some(({ oid }) => oid === database.oid)) {
      throw new WalferryError("DbInvalid", `database '${database.name}' cannot be both included and excluded`);
    }
  }
  const excluded = new Set(exclude.map(({ oid }) => oid));
  const included = new Set(include.map(({ oid }) => oid));
  // Made anew (for another encoding, say) they have an oid like any other, and are needed all the same.
  const system = new Set(manifest.databases.filter(isSystem).map(({ oid }) => oid));
  const isZeroed = (oid: number): boolean => {
    if (excluded.has(oid)) return true;
    return included.size > 0 && oid >= FIRST_USER_OID && !included.has(oid) && !system.has(oid);
  };
  return (name) => {
    const match = /^(?:pg_data\/base|pg_tblspc\/\d+\/[^/]+)\/(\d+)\/([^/]+)$/.exec(name);
    return match !== null && match[2] !== "PG_VERSION" && isZeroed(Number(match[1]));
  };
}

function isSystem({ name, oid }: ManifestDatabase): boolean {
  return oid < FIRST_USER_OID || SYSTEM_DATABASES.has(name);
}

function databaseNamed(manifest: Manifest, word: string, what: "include" | "exclude"): ManifestDatabase {
  const found = manifest.databases.find(({ name, oid }) => name === word || String(oid) === word);
  if (found !== undefined) return found;
  throw new WalferryError("DbMissing", `database to ${what} '${word}' does not exist in the backup`, {
    hint: `the backup has ${manifest.databases.map(({ name }) => name).join(", ")}.`,
  });
}
