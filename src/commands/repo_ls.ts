/** `repo-ls` */
import type { StorageEntry } from "../../backends/contract.ts";
import { renderAnswer } from "../format/json.ts";
import type { CommandContext } from "../process/command_context.ts";
import { shownName } from "../report/shown_text.ts";
import { givenPath } from "../repository/given_path.ts";
import type { RepoLsOptions } from "../repository/options.ts";
import { Repository } from "../repository/repository.ts";
import { listTree } from "../repository/tree_listing.ts";
import { outputGathered } from "./output_gathered.ts";

/** Lists what is below a path. What does not exist has no entries and is no error, as with pgBackRest. */
export async function repoLs(options: RepoLsOptions, context: CommandContext): Promise<number> {
  await using repository = await Repository.open(options.repository);
  const path = givenPath(repository, options.path);
  await outputGathered(
    options.output === "json" ? json(shown(repository, path)) : text(shown(repository, path)),
    context,
  );
  return 0;

  async function* shown({ storage }: Repository, path: string): AsyncGenerator<StorageEntry> {
    const isShown = (name: string) => options.filter === undefined || options.filter.test(name);
    const itself = path === "" ? undefined : await storage.info(path, context.signal);
    const isFile = itself !== undefined && itself.type !== "path" && itself.type !== "link";
    const dot: StorageEntry = isFile
      ? { ...itself, name: "." }
      : { name: ".", type: "path", sizeBytes: 0, modifiedTime: 0 };
    if (isShown(dot.name)) yield dot;
    if (isFile) return;
    const { recurse, sort } = options;
    for await (const entry of listTree(storage, path, { recurse, sort, signal: context.signal })) {
      if (isShown(entry.name)) yield entry;
    }
  }
}

/** A name a line, as a terminal can show it; of the path itself only when it is a file. */
async function* text(entries: AsyncIterable<StorageEntry>): AsyncGenerator<string> {
  for await (const { name, type } of entries) if (name !== "." || type !== "path") yield `${shownName(name)}\n`;
}

/** One object, by name. */
async function* json(entries: AsyncIterable<StorageEntry>): AsyncGenerator<string> {
  let first = true;
  yield "{";
  for await (const entry of entries) {
    yield `${first ? "" : ","}${renderAnswer(entry.name)}:${renderEntry(entry)}`;
    first = false;
  }
  yield "}\n";
}

/** Members in pgBackRest's order, which is not that of their names. */
function renderEntry({ type, sizeBytes, modifiedTime, destination }: StorageEntry): string {
  const more = type === "file"
    ? `,"size":${sizeBytes},"time":${Math.floor(modifiedTime)}`
    : type === "link"
    ? `,"destination":${renderAnswer(destination ?? "")}`
    : "";
  return `{"type":"${type}"${more}}`;
}
