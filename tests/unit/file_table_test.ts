/** A table of files gives back what was put into it, in the order of the names. */
import { FileTable } from "../../src/format/file_table.ts";
import { compareBytes } from "../../src/format/json.ts";
import type { ManifestFile, OwnerName } from "../../src/format/manifest.ts";
import { InfoFileReader, renderInfoFile, visitInfoFile } from "../../src/format/info_file.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { random } from "../support/random.ts";

const SEED = 20261121;

/** A file with every member, none of them special. */
const PLAIN: ManifestFile = {
  name: "pg_data/base/5/16384",
  sizeBytes: 8192,
  sizeOriginalBytes: undefined,
  timestamp: 1_795_220_207,
  checksum: undefined,
  repoChecksum: undefined,
  repoSizeBytes: 8192,
  reference: undefined,
  bundleId: undefined,
  bundleOffset: undefined,
  blockSizeBytes: undefined,
  blockChecksumBytes: undefined,
  blockMapBytes: undefined,
  checksumPage: undefined,
  checksumPageErrors: undefined,
  mode: 0o600,
  user: "postgres",
  group: "postgres",
};

const SHA1 = "587b596f04f7db9c2cad3d6b87dd2b3a05de4f35";

/** Files with values of all kinds: none, small, beyond 32 bits, and what no column has room for. */
function strangeFiles(count: number): ManifestFile[] {
  const below = random(SEED);
  const oneOf = <T>(...values: T[]): T => values[below(values.length)]!;
  const number = () => oneOf(0, 1, below(1 << 30), 2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1);
  const optional = () => oneOf(undefined, number());
  const hash = () =>
    oneOf(
      undefined,
      SHA1,
      "0".repeat(40),
      "f".repeat(40),
      Array.from({ length: 40 }, () => below(16).toString(16)).join(""),
    );
  return Array.from({ length: count }, (_, index) => {
    const part = oneOf(`${index}`, `${index}_vm`, `ä${index}`, `💾${index}`, `\uffee${index}`, `${index} = "\\`);
    return {
      name: `${oneOf("pg_data/base/5/", "pg_data/base/5.6/", "pg_data/", "pg_tblspc/1/PG_15/ö/", "")}${part}`,
      sizeBytes: number(),
      sizeOriginalBytes: optional(),
      timestamp: oneOf(number(), -1, -(2 ** 40)),
      checksum: hash(),
      repoChecksum: hash(),
      repoSizeBytes: number(),
      reference: oneOf(undefined, "20260101-000000F", "20260101-000000F_20260102-000000I"),
      bundleId: optional(),
      bundleOffset: optional(),
      blockSizeBytes: oneOf(undefined, 8192, 65536),
      blockChecksumBytes: oneOf(undefined, 6, 7),
      blockMapBytes: optional(),
      checksumPage: oneOf(undefined, false, true),
      checksumPageErrors: oneOf(undefined, [[0, 0], [3, 7]] as const),
      mode: oneOf(0o600, 0o640, 0o7777, 0),
      user: oneOf<OwnerName>("postgres", "false", false, 'a"b'),
      group: oneOf<OwnerName>("postgres", "", false, "undefined"),
    };
  });
}

Deno.test("a table gives its files back whole and sorted, whatever is in them", () => {
  const files = strangeFiles(20_000);
  const table = FileTable.from(files);
  assertEquals(table.length, files.length);
  const sorted = files.toSorted((a, b) => compareBytes(a.name, b.name));
  for (const [index, file] of [...table].entries()) assertEquals(file, sorted[index], `seed ${SEED}, file ${index}`);
  assertEquals(table.duplicate(), undefined);
  for (let index = 0; index < sorted.length; index += 97) {
    const { name, sizeBytes, timestamp, reference, bundleId, bundleOffset } = sorted[index]!;
    assertEquals(table.indexOf(name), index);
    assertEquals(
      [table.nameAt(index), table.sizeAt(index), table.timestampAt(index), table.referenceAt(index)],
      [name, sizeBytes, timestamp, reference],
    );
    assertEquals([table.bundleIdAt(index), table.bundleOffsetAt(index)], [bundleId, bundleOffset]);
  }
  assertEquals(table.indexOf("pg_data/base/5/none"), -1);
  assertEquals(table.at(-1), undefined);
  assertEquals(table.at(files.length), undefined);
});

Deno.test("an entry that is set replaces all that was there but the name, in this table alone", () => {
  const [first, second] = [strangeFiles(3000), strangeFiles(6000).slice(3000)];
  const table = FileTable.from(first);
  const other = table.withSameNames();
  for (let index = 0; index < other.length; index++) other.set(index, second[index]!);
  const before = [...table];
  for (let index = 0; index < table.length; index += 2) table.set(index, second[index]!);
  for (let index = 0; index < table.length; index++) {
    const { name } = before[index]!;
    assertEquals(other.at(index), { ...second[index]!, name }, `seed ${SEED}, file ${index}`);
    assertEquals(
      table.at(index),
      index % 2 === 0 ? { ...second[index]!, name } : before[index],
      `seed ${SEED}, ${index}`,
    );
  }
});

Deno.test("a part of a table has entries of its own choice, takes others, and leaves the whole as it is", () => {
  const whole = FileTable.from(strangeFiles(40));
  const before = [...whole];
  const part = whole.part((index) => index % 3 === 0);
  assertEquals([...part], before.filter((_, index) => index % 3 === 0));
  const added = { ...before[1]!, reference: "20260101-000000F", sizeBytes: 77 };
  part.amend((index) => index === 0, [added]);
  assertEquals(
    [...part],
    before.flatMap((file, index) => index === 1 ? [added] : index % 3 === 0 && index > 0 ? [file] : []),
  );
  assertEquals(part.at(part.indexOf(added.name)), added);
  assertEquals(part.indexOf(before[2]!.name), -1);
  assertEquals([...whole], before);
});

Deno.test("names of any length have room, and one that stands twice is found", () => {
  const names = [0, 63, 64, 65, 65_531, 65_532, 65_533, 65_534, 65_535, 65_536, 200_000].map((length) =>
    `pg_data/${"x".repeat(length)}${length}`
  );
  // Some begin as a text file of another system does.
  const others = ["pg_data/behind", "pg_data/\uFEFFmarked", "\uFEFFmarked/file", "pg_data/\u{1F418}"];
  const table = FileTable.from([...names, ...others].map((name) => ({ ...PLAIN, name })));
  assertEquals([...table].map(({ name }) => name), [...names, ...others].sort(compareBytes));
  const twice = FileTable.from(["b", "a", "c", "b"].map((name) => ({ ...PLAIN, name: `pg_data/${name}` })));
  assertEquals(twice.duplicate(), "pg_data/b");
});

Deno.test("files added without owner and mode get those of most, and others keep theirs", () => {
  const table = FileTable.empty();
  const { mode: _mode, user: _user, group: _group, ...unowned } = PLAIN;
  table.add({ ...unowned, name: "pg_data/a" });
  table.add({ ...unowned, name: "pg_data/b", user: false });
  table.add({ ...PLAIN, name: "pg_data/c" });
  table.settle({ mode: 0o640, user: "alice", group: "staff" });
  table.set(2, { ...unowned, name: "pg_data/c", mode: 0o640, user: "alice", group: "staff" });
  assertEquals([...table].map(({ mode, user, group }) => [mode, user, group]), [
    [0o640, "alice", "staff"],
    [0o640, false, "staff"],
    [0o640, "alice", "staff"],
  ]);
});

Deno.test("an info file is read the same in one piece and in pieces that end anywhere", () => {
  const text = [...renderInfoFile("2.59.1", [["some", [["a=b", '"ä💾"'], ["c", "[1,2]"]]], ["other", [["d", "{}"]]]])]
    .join("");
  const whole: unknown[] = [];
  visitInfoFile(text, (line) => whole.push(line));
  assertEquals(whole.length, 3);
  for (let size = 1; size < text.length; size++) {
    const seen: unknown[] = [];
    const reader = new InfoFileReader((line) => seen.push(line));
    for (let at = 0; at < text.length; at += size) reader.push(text.slice(at, at + size));
    assertEquals(reader.end(), "2.59.1");
    assertEquals(seen, whole, `pieces of ${size}`);
  }
});

Deno.test("a hundred thousand stored files take less than a hundred bytes each", () => {
  const count = 100_000;
  const before = Deno.memoryUsage().external;
  const table = FileTable.empty();
  for (let index = 0; index < count; index++) {
    const name = `pg_data/base/16384/${100_000 + index}`;
    const place = { bundleId: 1 + (index >> 12), bundleOffset: index * 90, repoSizeBytes: 90 };
    table.add({ ...PLAIN, ...place, name, checksum: SHA1, repoChecksum: SHA1 });
  }
  const bytes = Deno.memoryUsage().external - before;
  assertEquals(table.at(count - 1)?.bundleOffset, (count - 1) * 90);
  assert(bytes / count < 100, `${bytes / count} bytes a file`);
});

Deno.test("a thousand tables of five files, as incremental backups have them, take a few thousand bytes each", () => {
  const before = Deno.memoryUsage().external;
  const tables = Array.from({ length: 1000 }, (_, at) =>
    FileTable.from(Array.from({ length: 5 }, (_, index) => ({
      ...PLAIN,
      name: `pg_data/base/5/${at}${index}`,
      checksum: SHA1,
      repoChecksum: SHA1,
    }))));
  const bytes = (Deno.memoryUsage().external - before) / tables.length;
  assertEquals(tables.at(-1)?.at(4)?.checksum, SHA1);
  assert(bytes < 8000, `${bytes} bytes a table`);
});

Deno.test("what a column holds stays when it gets more room, at every number of rows", () => {
  for (const count of [31, 32, 33, 63, 64, 65, 4095, 4096, 4097, 8191, 8192, 8193, 12_289]) {
    const files = Array.from({ length: count }, (_, at) => ({
      ...PLAIN,
      name: `pg_data/${String(at).padStart(6, "0")}`,
      checksum: at.toString(16).padStart(40, "0"),
      // Some rows only, and not the first ones.
      repoChecksum: at > 40 && at % 3 === 0 ? at.toString(16).padStart(40, "f") : undefined,
      bundleId: at > 30 ? at : undefined,
    }));
    const table = FileTable.from(files);
    assertEquals(table.length, count);
    for (const at of [0, 1, 30, 31, 32, 42, 63, 64, count >> 1, count - 1].filter((one) => one < count)) {
      assertEquals(table.at(at), files[at], `${count} files, the one at ${at}`);
    }
  }
});
