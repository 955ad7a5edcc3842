/** Saying where damage is: whoever decrypts and decompresses bytes does not know where they come from and for what. */
import { toWalferryError, WalferryError } from "../errors.ts";
import { isStoreFailure } from "../repository/store_failure.ts";
import { LocalFailure } from "./local_files.ts";

/** What was read for which file. */
export interface Place {
  /** Local path of the file that is restored. */
  readonly path: string;
  /** Of the repository. */
  readonly location: string;
  /** Path in the repository. */
  readonly stored: string;
  /** Where in it; absent = it is all of it. */
  readonly offsetBytes: number | undefined;
  /** What is there is a map of blocks, which may be anywhere else. */
  readonly isMap: boolean;
}

/** The same error with its place, unless it names the stored file already or is none of its. */
export function withPlace(thrown: unknown, { path, location, stored, offsetBytes, isMap }: Place): WalferryError {
  const error = toWalferryError(thrown);
  const { kind, message, hint } = error;
  if (error instanceof LocalFailure || isStoreFailure(error) || message.includes(`${location}/${stored}`)) return error;
  if (error instanceof Placed) return error;
  const at = offsetBytes === undefined ? "" : ` at offset ${offsetBytes}`;
  const from = isMap ? "by the block map in" : "from";
  return new Placed(kind, `error restoring '${path}' ${from} '${location}/${stored}'${at}: ${message}`, {
    hint,
    cause: thrown,
  });
}

/** An error that has its place, which the next one who catches it knows less exactly. */
class Placed extends WalferryError {}
