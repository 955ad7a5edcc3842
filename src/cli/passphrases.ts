/** Where the passphrase of a repository comes from: the option itself, a file, a command, or a credential that systemd handed over. */
import { WalferryError } from "../errors.ts";
import type { Configuration } from "./configuration.ts";

/** Longest passphrase in bytes: a file that is longer is another one. */
const LENGTH_MAX = 64 * 1024;
const SOURCES = [
  "repo-cipher-pass",
  "repo-cipher-pass-file",
  "repo-cipher-pass-command",
  "repo-cipher-pass-credential",
];

/** The passphrase of an encrypted repository. @throws WalferryError `OptionRequired`, `OptionInvalid`, `FileOpen`, `Execute` */
export function passphraseOf(config: Configuration, key: number): string {
  const given = SOURCES.filter((name) => config.isSet(name, key));
  const shown = (name: string) => name.replace("repo", `repo${key}`);
  if (given.length > 1) {
    throw new WalferryError("OptionInvalid", `options '${given.map(shown).join("' and '")}' cannot be used together`);
  }
  switch (given[0]) {
    case "repo-cipher-pass-file":
      return ofFile(config.string("repo-cipher-pass-file", key), shown("repo-cipher-pass-file"));
    case "repo-cipher-pass-command":
      return ofCommand(config.string("repo-cipher-pass-command", key), shown("repo-cipher-pass-command"));
    case "repo-cipher-pass-credential":
      return ofCredential(
        config,
        config.string("repo-cipher-pass-credential", key),
        shown("repo-cipher-pass-credential"),
      );
    default:
      return config.string("repo-cipher-pass", key);
  }
}

/** The passphrase that the repository had before (`rekey`); `undefined` when none is configured. @throws WalferryError as {@link passphraseOf} */
export function previousPassphraseOf(config: Configuration, key: number): string | undefined {
  const file = config.optionalString("repo-cipher-pass-previous-file", key);
  if (file !== undefined) return ofFile(file, `repo${key}-cipher-pass-previous-file`);
  return config.optionalString("repo-cipher-pass-previous", key);
}

function ofFile(path: string, option: string): string {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new WalferryError("FileOpen", `unable to read the passphrase of ${option}: ${(error as Error).message}`, {
      cause: error,
      hint: "the account that runs this must be able to read the file, and nobody else should.",
    });
  }
  return checked(bytes, `file '${path}' of ${option}`);
}

function ofCommand(command: string, option: string): string {
  const { success, code, stdout } = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    stdin: "null",
    stdout: "piped",
    // What it says is for a person; it may hold what nobody should see in a log.
    stderr: "inherit",
  }).outputSync();
  if (!success) throw new WalferryError("Execute", `the command of ${option} ended with exit code ${code}`);
  return checked(stdout, `output of the command of ${option}`);
}

function ofCredential(config: Configuration, name: string, option: string): string {
  const directory = config.environment("CREDENTIALS_DIRECTORY");
  if (directory === undefined) {
    throw new WalferryError("OptionInvalid", `${option} is set, but systemd handed over no credentials`, {
      hint:
        `the unit needs LoadCredential=${name}:<path> or LoadCredentialEncrypted=; CREDENTIALS_DIRECTORY is not set.`,
    });
  }
  if (name.includes("/")) {
    throw new WalferryError("OptionInvalidValue", `'${name}' is not valid for '${option}' option`, {
      hint: "it is the name of a credential, not a path.",
    });
  }
  return ofFile(`${directory}/${name}`, option);
}

/** One line of text; the line's end is none of it. */
function checked(bytes: Uint8Array, what: string): string {
  const text = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  const wrong = text === ""
    ? "is empty"
    : bytes.length > LENGTH_MAX
    ? "is too long"
    : /[\n\r\0]/.test(text)
    ? "has more than one line"
    : undefined;
  if (wrong === undefined) return text;
  throw new WalferryError("OptionInvalidValue", `the ${what} is no passphrase: it ${wrong}`);
}
