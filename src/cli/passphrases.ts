/** Where the passphrase of a repository comes from: the option itself, a file, a command, or a credential that systemd handed over. */
import { toWalferryError, WalferryError } from "../errors.ts";
import { answerOfProgram, SECRET_BYTES_MAX } from "../process/secret_program.ts";
import type { Configuration } from "./configuration.ts";

/** Its answer has to be waited for, which is done before the options are put together. */
const COMMAND = "repo-cipher-pass-command";
const SOURCES = [
  "repo-cipher-pass",
  "repo-cipher-pass-file",
  COMMAND,
  "repo-cipher-pass-credential",
];

/** An option as the user writes it. */
function shown(name: string, key: number): string {
  return name.replace("repo", `repo${key}`);
}

/**
 * Runs the commands that print passphrases, all at once, each for as long as `io-timeout`. What came of them is kept with the configuration
 * until {@link passphraseOf} asks: where a repository is not used, its failure is nobody's.
 */
export async function askPassphraseCommands(config: Configuration, keys: readonly number[]): Promise<void> {
  await Promise.all(keys.map(async (key) => {
    const option = shown(COMMAND, key);
    try {
      config.passphrases.set(key, await ofCommand(config.string(COMMAND, key), option, config.number("io-timeout")));
    } catch (error) {
      config.passphrases.set(key, toWalferryError(error));
    }
  }));
}

/** The passphrase of an encrypted repository. @throws WalferryError `OptionRequired`, `OptionInvalid`, `FileOpen`, `Execute` */
export function passphraseOf(config: Configuration, key: number): string {
  const given = SOURCES.filter((name) => config.isSet(name, key));
  if (given.length > 1) {
    throw new WalferryError(
      "OptionInvalid",
      `options '${given.map((name) => shown(name, key)).join("' and '")}' cannot be used together`,
    );
  }
  switch (given[0]) {
    case "repo-cipher-pass-file":
      return ofFile(config.string("repo-cipher-pass-file", key), shown("repo-cipher-pass-file", key));
    case COMMAND: {
      const answer = config.passphrases.get(key);
      if (answer === undefined) throw new WalferryError("Assert", `${shown(COMMAND, key)} was not run`);
      if (answer instanceof WalferryError) throw answer;
      return answer;
    }
    case "repo-cipher-pass-credential":
      return ofCredential(
        config,
        config.string("repo-cipher-pass-credential", key),
        shown("repo-cipher-pass-credential", key),
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

async function ofCommand(command: string, option: string, timeoutMs: number): Promise<string> {
  const answer = await answerOfProgram(["/bin/sh", "-c", command], timeoutMs, "inherit");
  if (answer === undefined) {
    throw new WalferryError("Execute", `the command of ${option} did not end within ${timeoutMs / 1000} s`, {
      hint: "it was ended. io-timeout says how long is waited for it.",
    });
  }
  const { code, text } = answer;
  const bytes = new TextEncoder().encode(text);
  if (code !== 0 && bytes.length <= SECRET_BYTES_MAX) {
    throw new WalferryError("Execute", `the command of ${option} ended with exit code ${code}`);
  }
  return checked(bytes, `output of the command of ${option}`);
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
    : bytes.length > SECRET_BYTES_MAX
    ? "is too long"
    : /[\n\r\0]/.test(text)
    ? "has more than one line"
    : undefined;
  if (wrong === undefined) return text;
  throw new WalferryError("OptionInvalidValue", `the ${what} is no passphrase: it ${wrong}`);
}
