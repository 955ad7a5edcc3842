/** What one repository holds of the cluster's files, as far as the backup has come: what its manifest says, now and at the end. */
import { WalferryError } from "../errors.ts";
import type { FileTable } from "../format/file_table.ts";
import type { ManifestFile, ManifestFiles } from "../format/manifest.ts";
import type { Repository } from "../repository/repository.ts";
import type { CopyList } from "./planner.ts";

const SETTLED = 0;
const TO_COME = 1;
const GONE = 2;

export class StoredFiles {
  readonly #entries: FileTable;
  readonly #states: Uint8Array;
  /** Files that came since copying began. */
  count = 0;

  /** @param entries of all files before copying begins; belongs to this from here on */
  constructor(entries: FileTable, copies: CopyList, key: number) {
    this.#entries = entries;
    this.#states = new Uint8Array(entries.length);
    copies.eachTakenBy(key, (index) => this.#states[index] = TO_COME);
  }

  /** All files of the cluster, sorted; those that are not stored yet as they were listed. Goes on changing. */
  get sofar(): ManifestFiles {
    return this.#entries;
  }

  /** It is stored, or found where an earlier backup has it. */
  store(index: number, entry: ManifestFile): void {
    this.#entries.set(index, entry);
    this.#states[index] = SETTLED;
    this.count += 1;
  }

  /** The server removed it. */
  drop(index: number): void {
    this.#states[index] = GONE;
  }

  /**
   * All files of the backup. Nothing is stored afterwards.
   *
   * @param extra files that did not come from the cluster; where one of the cluster has the same name, it is ours that recovery needs
   * @throws WalferryError `Assert` for a file that the backup needs and does not have
   */
  complete(extra: readonly ManifestFile[], repository: Repository): ManifestFiles {
    const missing = this.#states.indexOf(TO_COME);
    if (missing !== -1) {
      throw new WalferryError("Assert", `'${this.#entries.nameAt(missing)}' was not stored in ${repository.name}`);
    }
    if (extra.length > 0 || this.#states.includes(GONE)) {
      this.#entries.amend((index) => this.#states[index] === GONE, extra);
    }
    return this.#entries;
  }
}
