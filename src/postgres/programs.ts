/** Where PostgreSQL's own programs are on this host. */
import { isWalferryError, WalferryError } from "../errors.ts";
import { namesIfThere } from "../process/directory_names.ts";
import { runProgram } from "../process/run_program.ts";
import { PG_RELEASES } from "./version.ts";

/** Majors that this program works with. */
const MAJORS = PG_RELEASES.map(({ version }) => Number(version));

/**
 * Directories that may hold the programs, best first: those that the caller finds programs in, then the folders of distributions, newest
 * release first.
 * @param searchPath as in `PATH`
 * @throws WalferryError `PathOpen`
 */
export async function programPaths(searchPath: string): Promise<string[]> {
  const called = searchPath.split(":").filter((path) => path.startsWith("/"));
  const debian = (await namesIfThere("/usr/lib/postgresql")).filter((name) => /^\d+$/.test(name)).map(Number)
    .sort((a, b) => b - a).map((major) => `/usr/lib/postgresql/${major}/bin`);
  const redHat = MAJORS.toReversed().map((major) => `/usr/pgsql-${major}/bin`);
  return [...new Set([...called, ...debian, ...redHat, "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"])];
}

/** Whether a directory holds all of these programs. */
export function holdsPrograms(path: string, programs: readonly string[]): boolean {
  return programs.every((name) => {
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

/** Version in the answer of `postgres --version`: `15.14 (Debian 15.14-0+deb12u1)`. */
export function versionIn(answer: string): string {
  return answer.replace(/^postgres \(PostgreSQL\) /, "").trim();
}

/**
 * The directory with these programs of one major.
 * @param given where the user says they are; absent = look for them
 * @throws WalferryError `FileMissing`, `VersionNotSupported` when what was given is another release
 */
export async function findPrograms(
  pgVersion: string,
  programs: readonly string[],
  given: string | undefined,
  searchPath: string,
): Promise<{ readonly binPath: string; readonly version: string }> {
  if (given !== undefined) {
    if (!holdsPrograms(given, programs)) {
      throw new WalferryError("FileMissing", `'${given}' does not hold ${programs.join(", ")}`);
    }
    const version = await versionOf(given);
    if (parseInt(version, 10) === Number(pgVersion)) return { binPath: given, version };
    throw new WalferryError("VersionNotSupported", `'${given}' is PostgreSQL ${version}, but ${pgVersion} is needed`);
  }
  for (const binPath of await programPaths(searchPath)) {
    if (!holdsPrograms(binPath, programs)) continue;
    const version = await versionOrNothing(binPath);
    if (version !== undefined && parseInt(version, 10) === Number(pgVersion)) return { binPath, version };
  }
  throw new WalferryError("FileMissing", `no PostgreSQL ${pgVersion} with ${programs.join(", ")} was found`, {
    hint: `install it (Debian: apt-get install postgresql-${pgVersion}), or name its directory with pg-bin.`,
  });
}

/** A program that does not run is not what is looked for. */
async function versionOrNothing(binPath: string): Promise<string | undefined> {
  try {
    return await versionOf(binPath);
  } catch (error) {
    if (isWalferryError(error, "Execute")) return undefined;
    throw error;
  }
}

async function versionOf(binPath: string): Promise<string> {
  return versionIn(await runProgram(`${binPath}/postgres`, ["--version"], { cwd: "/" }));
}
