/**
 * Every error that walferry raises on purpose, with the number and the name that pgBackRest gives it: the number is the
 * process exit code, the name appears in messages such as `repo1: [FileMissingError] ...`.
 *
 * What does not live here: printing (src/report) and the decision which code a command ends with (src/cli).
 */

/**
 * Exit code of each kind of error. Source: pgBackRest's documented error codes (25 to 125); PostgreSQL treats codes above 125 specially.
 */
export const ERROR_CODES = {
  // walferry's own, from the numbers below 25, which pgBackRest does not use.
  RepositoryDamaged: 10,
  DrillFailed: 11,
  Assert: 25,
  Checksum: 26,
  Config: 27,
  FileInvalid: 28,
  Format: 29,
  CommandRequired: 30,
  OptionInvalid: 31,
  OptionInvalidValue: 32,
  OptionRequired: 37,
  PgRunning: 38,
  Protocol: 39,
  PathNotEmpty: 40,
  FileOpen: 41,
  FileRead: 42,
  ParamRequired: 43,
  ArchiveMismatch: 44,
  ArchiveDuplicate: 45,
  VersionNotSupported: 46,
  PathCreate: 47,
  CommandInvalid: 48,
  HostConnect: 49,
  LockAcquire: 50,
  BackupMismatch: 51,
  FileSync: 52,
  PathOpen: 53,
  PathSync: 54,
  FileMissing: 55,
  DbConnect: 56,
  DbQuery: 57,
  DbMismatch: 58,
  FileRemove: 60,
  PathRemove: 61,
  Stop: 62,
  Term: 63,
  FileWrite: 64,
  FeatureNotSupported: 67,
  ArchiveCommandInvalid: 68,
  LinkExpected: 69,
  LinkDestination: 70,
  HostInvalid: 72,
  PathMissing: 73,
  FileMove: 74,
  BackupSetInvalid: 75,
  TablespaceMap: 76,
  LinkMap: 78,
  FileClose: 79,
  DbMissing: 80,
  DbInvalid: 81,
  ArchiveTimeout: 82,
  FileMode: 83,
  ArchiveDisabled: 87,
  FileOwner: 88,
  UserMissing: 89,
  FileExists: 93,
  Memory: 94,
  Crypto: 95,
  ParamInvalid: 96,
  PathClose: 97,
  FileInfo: 98,
  JsonFormat: 99,
  Kernel: 100,
  Service: 101,
  Execute: 102,
  RepoInvalid: 103,
  Command: 104,
  Access: 105,
  Clock: 106,
  Runtime: 122,
  Unhandled: 124,
  Unknown: 125,
} as const;

/** Name of a kind of error without the suffix `Error`. */
export type ErrorKind = keyof typeof ERROR_CODES;

/** Form in which an error crosses a worker boundary. */
export interface SerializedError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint?: string;
  readonly stack?: string;
}

/**
 * An error with a documented exit code. `message` says what is wrong and where (file and line, option, repository);
 * `hint` says what to do about it. Neither may ever hold a secret.
 */
export class WalferryError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
    this.name = `${kind}Error`;
  }

  /** Process exit code of this kind of error. */
  get code(): number {
    return ERROR_CODES[this.kind];
  }

  /** Message and hint as they are printed: the hint follows on its own line behind `HINT: `. */
  get text(): string {
    return this.hint === undefined ? this.message : `${this.message}\nHINT: ${this.hint.replaceAll("\n", "\nHINT: ")}`;
  }
}

/** True for a {@link WalferryError} of one of the kinds given (any kind when none is given). */
export function isWalferryError(error: unknown, ...kinds: ErrorKind[]): error is WalferryError {
  return error instanceof WalferryError && (kinds.length === 0 || kinds.includes(error.kind));
}

/**
 * Turns anything thrown into a {@link WalferryError}: those pass unchanged, anything else becomes kind `Unhandled`
 * with the original kept as `cause`.
 */
export function toWalferryError(thrown: unknown): WalferryError {
  if (thrown instanceof WalferryError) return thrown;
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new WalferryError("Unhandled", message, { cause: thrown });
}

/** Plain form of an error for a message between threads. */
export function serializeError(thrown: unknown): SerializedError {
  const error = toWalferryError(thrown);
  const origin = error.cause instanceof Error ? error.cause.stack : error.stack;
  return { kind: error.kind, message: error.message, hint: error.hint, stack: origin };
}

/** The error again on the other side of a thread boundary. */
export function deserializeError(serialized: SerializedError): WalferryError {
  const error = new WalferryError(serialized.kind, serialized.message, { hint: serialized.hint });
  if (serialized.stack !== undefined) error.stack = serialized.stack;
  return error;
}
