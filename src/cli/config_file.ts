/** Configuration files: which are read, and their syntax (behaviour spec §1.1, §1.2). What the options mean is not known here. */
import { WalferryError } from "../errors.ts";
import { directoryNames } from "../process/directory_names.ts";

/** One `key=value` line. */
export interface ConfigLine {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly file: string;
  /** 1 for the first line of its file. */
  readonly line: number;
}

/** Where files are when nothing is said on the command line: the first set of which a main file or an include directory exists is used. */
export interface ConfigPlaces {
  readonly file: string;
  /** Where the main file was in older times: tried when `file` does not exist. */
  readonly oldFile?: string;
  readonly includePath: string;
}

/** What the command line and the environment say about files. */
export interface ConfigSelection {
  /** `--config`; `false` for `--no-config`. */
  readonly config?: string | false;
  readonly configPath?: string;
  readonly configIncludePath?: string;
}

/** Largest file that is read, in bytes. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Places by the name the program is called by, best first. */
export function defaultPlaces(invokedName: string): ConfigPlaces[] {
  const pgbackrest: ConfigPlaces = {
    file: "/etc/pgbackrest/pgbackrest.conf",
    oldFile: "/etc/pgbackrest.conf",
    includePath: "/etc/pgbackrest/conf.d",
  };
  if (invokedName === "pgbackrest") return [pgbackrest];
  return [{ file: "/etc/walferry/walferry.conf", includePath: "/etc/walferry/conf.d" }, pgbackrest];
}

/** Name of the main file inside `--config-path`. */
function mainFileIn(path: string, places: readonly ConfigPlaces[]): string {
  const names = places.map(({ file }) => file.slice(file.lastIndexOf("/") + 1));
  return names.map((name) => `${path}/${name}`).find(exists) ?? `${path}/${names[0]}`;
}

function mainFileOf({ file, oldFile }: ConfigPlaces): string {
  return oldFile === undefined || exists(file) ? file : oldFile;
}

/**
 * Reads every file that the selection and the places ask for.
 * @throws WalferryError `FileMissing`, `PathMissing`, `FileOpen`, `Format` (file and line in the message)
 */
export async function readConfigFiles(
  selection: ConfigSelection,
  places: readonly ConfigPlaces[],
): Promise<ConfigLine[]> {
  const { config, configPath, configIncludePath } = selection;
  const chosen =
    places.find(({ file, oldFile, includePath }) =>
      exists(file) || (oldFile !== undefined && exists(oldFile)) || exists(includePath)
    ) ?? places[0]!;
  const lines: ConfigLine[] = [];
  if (typeof config === "string") lines.push(...readFile(config, true));
  else if (config !== false) {
    lines.push(...readFile(configPath === undefined ? mainFileOf(chosen) : mainFileIn(configPath, places), false));
  }
  if (configIncludePath !== undefined) lines.push(...await readDirectory(configIncludePath, true));
  else if (configPath !== undefined) lines.push(...await readDirectory(`${configPath}/conf.d`, false));
  else if (config === undefined) lines.push(...await readDirectory(chosen.includePath, false));
  return lines;
}

async function readDirectory(path: string, required: boolean): Promise<ConfigLine[]> {
  let names: string[];
  try {
    names = (await directoryNames(path)).filter((name) => name.endsWith(".conf"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !required) return [];
    if (error instanceof Deno.errors.NotFound) {
      throw new WalferryError("PathMissing", `unable to list file info for missing path '${path}'`, { cause: error });
    }
    throw new WalferryError("PathOpen", `unable to list file info for path '${path}': ${(error as Error).message}`, {
      cause: error,
    });
  }
  return names.sort().flatMap((name) => readFile(`${path}/${name}`, true));
}

function readFile(path: string, required: boolean): ConfigLine[] {
  let bytes: Uint8Array;
  try {
    if (Deno.statSync(path).size > FILE_BYTES_MAX) {
      throw new WalferryError("Format", `configuration file '${path}' is larger than 16 MiB`);
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof WalferryError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      if (!required) return [];
      throw new WalferryError("FileMissing", `unable to open missing file '${path}' for read`, { cause: error });
    }
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseConfig(new TextDecoder().decode(bytes), path);
}

/** White space around lines, keys and values. Other blanks, such as a no-break space, may be part of a passphrase. */
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && " \t\r\n".includes(text[start]!)) start++;
  while (end > start && " \t\r\n".includes(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** The lines of one file. @throws WalferryError `Format` */
export function parseConfig(text: string, file: string): ConfigLine[] {
  const lines: ConfigLine[] = [];
  let section: string | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const content = trim(raw);
    if (content === "" || content.startsWith("#")) continue;
    const fail = (reason: string): never => {
      throw new WalferryError("Format", `${reason} at line ${index + 1} of '${file}'`, {
        hint: "a section is written [name], an option key=value; a comment begins with # on a line of its own.",
      });
    };
    if (content.includes("\0")) fail("NUL byte");
    // What decoding puts in place of bytes that are no UTF-8. Taken as it is, a path or passphrase would silently be another one.
    if (content.includes("\uFFFD")) fail("text that is not UTF-8");
    if (content.startsWith("[")) {
      if (!content.endsWith("]")) fail("ini section should end with ]");
      section = content.slice(1, -1);
      if (section === "") fail("invalid empty section");
      continue;
    }
    const at = content.indexOf("=");
    if (at === -1) fail("missing '=' in key/value");
    const key = trim(content.slice(0, at));
    if (key === "") fail("key is zero-length");
    if (section === undefined) return fail("key/value found outside of section");
    lines.push({ section, key, value: trim(content.slice(at + 1)), file, line: index + 1 });
  }
  return lines;
}

/**
 * What cannot be looked at is not absent: the configuration of another program, or none, would be used in its place.
 * @throws WalferryError `FileOpen`
 */
function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw new WalferryError("FileOpen", `unable to look for '${path}': ${(error as Error).message}`, {
      hint: "the account that runs the command must be able to read its configuration.",
      cause: error,
    });
  }
}
