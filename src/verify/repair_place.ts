/** Where a repair works: the repository that is mended, those that are asked, and the place for what is taken out. */
import { toWalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";

export interface RepairPlaceFacts {
  readonly repository: Repository;
  /** The other repositories, in the order in which they are asked. */
  readonly others: readonly Repository[];
  readonly stanza: string;
  readonly context: CommandContext;
  /** Objects on their way at once. */
  readonly atOnce: number;
}

export class RepairPlace {
  readonly repository: Repository;
  readonly others: readonly Repository[];
  readonly stanza: string;
  readonly context: CommandContext;
  readonly atOnce: number;
  readonly #aside: string;

  constructor({ repository, others, stanza, context, atOnce }: RepairPlaceFacts) {
    this.repository = repository;
    this.others = others;
    this.stanza = stanza;
    this.context = context;
    this.atOnce = atOnce;
    const time = new Date(context.clock.nowMs()).toISOString().replaceAll(/[-:]/g, "").slice(0, 15);
    this.#aside = `walferry/${stanza}/damaged/${time}`;
  }

  /**
   * Asks the other repositories, in their order, until one gives something; one that fails does not keep the next from being asked.
   * @param what is sought, for the log
   */
  async askOthers<T>(what: string, ask: (other: Repository) => Promise<T | undefined>): Promise<T | undefined> {
    const { context, repository, others } = this;
    for (const other of others) {
      context.signal.throwIfAborted();
      try {
        const given = await ask(other);
        if (given !== undefined) return given;
      } catch (thrown) {
        context.signal.throwIfAborted();
        const error = toWalferryError(thrown);
        context.log.warn(
          `${repository.name}: ${what} cannot be taken from ${other.name}: [${error.name}] ${error.text}`,
        );
      }
    }
    return undefined;
  }

  /**
   * What is damaged is never thrown away: somebody may know more than this program. What one path held before and held later are both kept.
   * @throws WalferryError of the store
   */
  async keepAside(path: string): Promise<void> {
    const { storage } = this.repository;
    if (await storage.info(path) === undefined) return;
    let target = `${this.#aside}/${path}`;
    for (let time = 2; await storage.info(target) !== undefined; time++) target = `${this.#aside}-${time}/${path}`;
    try {
      const stream = await storage.read(path);
      if (stream !== undefined) await storage.write(target, stream);
    } catch (thrown) {
      // What a disk does not give back any more, or nobody may read, cannot be copied. Under a second name it stays as it is.
      if (!storage.features.hardlinks || !isUnreadable(thrown)) throw thrown;
      await storage.hardlink(path, target);
      await storage.syncPath(target.slice(0, target.lastIndexOf("/")));
    }
  }
}

/** Whether an error says that this one object cannot be read. */
export function isUnreadable(thrown: unknown): boolean {
  const { kind } = toWalferryError(thrown);
  return kind === "FileOpen" || kind === "FileRead";
}
