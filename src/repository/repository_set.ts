/** Several repositories as one: opened together, asked together, and one that fails does not stop the others. */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { RepositoryConfig } from "./config.ts";
import { Repository } from "./repository.ts";

/** What went wrong with one repository. */
export interface RepositoryFailure {
  readonly key: number;
  readonly error: WalferryError;
}

/** `repo1: [FileMissingError] ...`, as pgBackRest prints it. */
export function describeFailure(failure: RepositoryFailure): string {
  return `repo${failure.key}: [${failure.error.name}] ${failure.error.text}`;
}

/** Beginning of what {@link describeFailure} makes. */
const DESCRIBED = /^repo(\d{1,3}): (?=\[\w+Error\] )/;

/** The failures that a message tells of, as {@link describeFailure} puts them: each goes on to the next one. */
export function failuresIn(message: string): Array<{ readonly key: number; readonly text: string }> {
  const found: Array<{ key: number; text: string }> = [];
  for (const line of message.split("\n")) {
    const match = DESCRIBED.exec(line);
    const last = found.at(-1);
    if (match !== null) found.push({ key: Number(match[1]), text: line.slice(match[0].length) });
    else if (last !== undefined) last.text += `\n${line}`;
  }
  return found;
}

/** The result of one question to one repository. */
export type Outcome<T> = { readonly ok: true; readonly repository: Repository; readonly value: T } | {
  readonly ok: false;
  readonly repository: Repository;
  readonly failure: RepositoryFailure;
  /** It was not waited for: nothing is known to be wrong with it. */
  readonly isLate?: boolean;
};

/** Opened repositories in key order; disposing closes all. */
export class RepositorySet implements AsyncDisposable {
  readonly repositories: readonly Repository[];

  private constructor(repositories: readonly Repository[]) {
    this.repositories = repositories;
  }

  /** Opens every repository; opening asks nothing of a store, so it fails for faulty configuration only. */
  static async open(configs: readonly RepositoryConfig[]): Promise<RepositorySet> {
    const sorted = [...configs].sort((a, b) => a.key - b.key);
    return new RepositorySet(await Promise.all(sorted.map((config) => Repository.open(config))));
  }

  static over(repositories: readonly Repository[]): RepositorySet {
    return new RepositorySet(repositories);
  }

  /** Asks all (or some) repositories the same thing at once; every answer or failure comes back, in key order. */
  async ask<T>(
    question: (repository: Repository) => Promise<T>,
    repositories: readonly Repository[] = this.repositories,
  ): Promise<Outcome<T>[]> {
    return await Promise.all(repositories.map(async (repository): Promise<Outcome<T>> => {
      try {
        return { ok: true, repository, value: await question(repository) };
      } catch (error) {
        return { ok: false, repository, failure: { key: repository.key, error: toWalferryError(error) } };
      }
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.repositories.map((repository) => repository[Symbol.asyncDispose]()));
  }
}

/** Error that no repository can be used, with what is wrong with each. */
export function noValidRepository(failures: readonly RepositoryFailure[]): WalferryError {
  return new WalferryError(
    "RepoInvalid",
    `unable to find a valid repository:\n${failures.map(describeFailure).join("\n")}`,
  );
}
