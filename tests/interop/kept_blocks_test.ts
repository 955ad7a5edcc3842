/**
 * Block incremental backups without the real program at hand: what it once wrote (tests/fixtures) is restored, verified and gone on with, and
 * what walferry writes is read by a reader that shares nothing with it. That reader in turn is held against what the real program wrote.
 */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import {
  BLOCK_SETS,
  type BlockSet,
  contentOf,
  HISTORY_REPOSITORY,
  HISTORY_TYPES,
  writeMoment,
} from "../support/block_history.ts";
import { IndependentBackup } from "../support/independent_reader.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertHealthy } from "../support/verify_stanza.ts";

const NEEDS = ["openssl", "gzip", "lz4", "zstd", "bzip2", "tar"];
const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
/** Hashes of all files at each moment. */
const CONTENTS = JSON.parse(Deno.readTextFileSync(`${FIXTURES}contents.json`)) as Record<string, string>[];

/** A stanza whose cluster is the made-up data directory; `kept`: with the repository that the real program wrote. */
async function makeStanza(folder: TestFolder, set: BlockSet, kept: boolean): Promise<TestStanza> {
  const stanza = await TestStanza.make(folder, { path: `${folder.path}/pg`, port: 5432 }, {
    name: kept ? "theirs" : "ours",
    repositories: [{ cipherPass: set.cipherPass, options: HISTORY_REPOSITORY }],
    global: { "compress-type": set.compressType, "process-max": "2" },
  });
  if (kept) {
    const archive = await Deno.readFile(`${FIXTURES}blocks-${set.compressType}.tar.gz`);
    await runAs(["tar", "-xzf", await folder.file("kept.tar.gz", archive), "-C", stanza.repositories[0]!]);
  }
  return stanza;
}

let restores = 0;

/** Restores by walferry, first a backup and then others over it: each time every file is what it was. */
async function assertRestored(
  folder: TestFolder,
  stanza: TestStanza,
  sets: readonly (readonly [label: string, content: Record<string, string>])[],
): Promise<void> {
  const target = await folder.directory(`r${++restores}`, 0o700);
  for (const [at, [label, content]] of sets.entries()) {
    const delta = at === 0 ? [] : ["--delta"];
    await stanza.must("walferry", [`--pg1-path=${target}`, `--set=${label}`, "--type=none", ...delta, "restore"]);
    assertEquals(await contentOf(target), content, label);
  }
}

/** What the reader that shares nothing with walferry finds in a backup. */
async function independent(stanza: TestStanza, label: string, { cipherPass }: BlockSet) {
  return (await IndependentBackup.read(`${stanza.repositories[0]}/backup/main`, label, cipherPass)).contents();
}

for (const set of BLOCK_SETS) {
  const name = `${set.compressType}, ${set.cipherPass === undefined ? "plain" : "encrypted"}`;
  testWith(NEEDS, `blocks that pgbackrest 2.59 wrote are restored, verified and gone on with (${name})`, async () => {
    await using folder = await TestFolder.make();
    const stanza = await makeStanza(folder, set, true);
    const labels = await labelsIn(stanza.repositories[0]!);
    const known = labels.map((label, at) => [label, CONTENTS[at]!] as const);
    assertEquals(labels.length, HISTORY_TYPES.length);
    for (const [label, content] of known) assertEquals(await independent(stanza, label, set), content, label);
    await assertRestored(folder, stanza, [...known, known[0]!]);

    for (const moment of [0, 1, 2, 3]) await writeMoment(`${folder.path}/pg`, moment);
    const now = await contentOf(`${folder.path}/pg`);
    const output = await stanza.must("walferry", ["--no-online", "--type=incr", "backup"]);
    assertIncludes(output, `last backup label = ${labels.at(-1)}`);
    const label = (await labelsIn(stanza.repositories[0]!)).at(-1)!;
    assertEquals(await independent(stanza, label, set), now);
    await assertHealthy(stanza);
    await assertRestored(folder, stanza, [known[0]!, [label, now]]);
    if (set.compressType !== "none") return;
    // Of thirty blocks four are new and five changed: the checksums of all others were found to be those of the chain.
    const { files } = await manifestOf(stanza, label);
    const grown = files.values().find((file) => file.name === "pg_data/base/5/20000")!;
    assertEquals(grown.repoSizeBytes - grown.blockMapBytes!, 9 * 8192);
  });

  testWith(NEEDS, `blocks that walferry writes are what the format says (${name})`, async () => {
    await using folder = await TestFolder.make();
    const [stanza, theirs] = [await makeStanza(folder, set, false), await makeStanza(folder, set, true)];
    const path = `${folder.path}/pg`;
    const recently = Math.floor(Date.now() / 1000) - 2 * 86_400;
    for (const [moment, type] of [...HISTORY_TYPES, "incr"].entries()) {
      await writeMoment(path, moment, recently);
      if (moment === 0) await stanza.must("walferry", ["--no-online", "stanza-create"]);
      await stanza.must("walferry", ["--no-online", `--type=${type}`, "backup"]);
      const content = await contentOf(path);
      if (moment < CONTENTS.length) assertEquals(content, CONTENTS[moment]);
      const labels = await labelsIn(stanza.repositories[0]!);
      assertEquals(labels.length, moment + 1);
      assertEquals(await independent(stanza, labels.at(-1)!, set), content);
    }
    const labels = await labelsIn(stanza.repositories[0]!);
    await assertRestored(folder, stanza, [[labels[0]!, CONTENTS[0]!], [labels.at(-1)!, await contentOf(path)]]);
    await assertHealthy(stanza);
    if (set.cipherPass !== undefined) return;
    for (const moment of HISTORY_TYPES.keys()) {
      assertEquals(await layout(stanza, moment), await layout(theirs, moment), HISTORY_TYPES[moment]);
    }
  });
}

async function manifestOf(stanza: TestStanza, label: string) {
  return parseManifest(await runAs(["cat", `${stanza.repositories[0]}/backup/main/${label}/backup.manifest`]));
}

/** How each file is stored, with what does not depend on the time or on where in a bundle it is. */
async function layout(stanza: TestStanza, moment: number) {
  const labels = await labelsIn(stanza.repositories[0]!);
  const { files, options } = await manifestOf(stanza, labels[moment]!);
  // The original puts the control file into a bundle, walferry stores it last and alone.
  return [...files].filter(({ name }) => name !== "pg_data/global/pg_control").map((file) => ({
    name: file.name,
    block: [file.blockSizeBytes, file.blockChecksumBytes],
    isInBlocks: file.blockMapBytes !== undefined,
    isBundled: file.bundleId !== undefined,
    reference: file.reference === undefined ? undefined : labels.indexOf(file.reference),
    // Uncompressed and alone, every byte is told by the format.
    stored: options.compressType === "none" && file.bundleId === undefined ? file.repoChecksum : undefined,
  }));
}
