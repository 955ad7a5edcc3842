import process from "node:process";
import type { WalferryError } from "../../src/errors.ts";
import { parseArchiveInfo, renderArchiveInfo } from "../../src/format/archive_info.ts";
import { parseBackupInfo, renderBackupInfo } from "../../src/format/backup_info.ts";
import { compareBytes, parseJson, renderJson } from "../../src/format/json.ts";
import { formatLabel, parseLabel } from "../../src/format/label.ts";
import { isManifestName, parseManifest, renderManifest } from "../../src/format/manifest_codec.ts";
import { nextSegmentName, parseLsn, segmentOfLsn, segmentRange, walDirectory } from "../../src/format/wal_name.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { random } from "../support/random.ts";
import { ARCHIVE_INFO, ARCHIVE_INFO_ENCRYPTED, BACKUP_INFO, MANIFEST, withChecksum } from "../support/info_samples.ts";

Deno.test("archive.info written by pgbackrest is read, and written again byte for byte", () => {
  for (const text of [ARCHIVE_INFO, ARCHIVE_INFO_ENCRYPTED]) {
    assertEquals(renderArchiveInfo(parseArchiveInfo(text)), text);
  }
  const info = parseArchiveInfo(ARCHIVE_INFO);
  assertEquals(info.history, [{ id: 1, pgVersion: "15", systemId: 7710412083236442382n }]);
  assertEquals(parseArchiveInfo(ARCHIVE_INFO_ENCRYPTED).cipherPass?.length, 64);
});

Deno.test("backup.info written by pgbackrest is read, and written again byte for byte", () => {
  assertEquals(renderBackupInfo(parseBackupInfo(BACKUP_INFO)), BACKUP_INFO);
  const [entry] = parseBackupInfo(BACKUP_INFO).backups;
  assertEquals([entry!.label, entry!.type, entry!.lsnStop, entry!.sizeBytes], [
    "20261121-001700F",
    "full",
    "0/6000050",
    46978916,
  ]);
});

Deno.test("a manifest is read, and written again byte for byte", () => {
  const manifest = parseManifest(MANIFEST);
  assertEquals([...renderManifest(manifest)].join(""), MANIFEST);
  const file = [...manifest.files].find(({ name }) => name.endsWith("/16395"))!;
  assertEquals(file.checksumPageErrors, [[3, 3], [5, 7]]);
  assertEquals([file.mode, file.user, file.reference], [0o600, "postgres", undefined]);
  assertEquals([...manifest.files].find(({ name }) => name.includes("a=b"))?.sizeBytes, 3);
  const member = [...manifest.files].find(({ bundleId }) => bundleId !== undefined)!;
  assertEquals([member.bundleId, member.bundleOffset, member.repoSizeBytes], [1, 2856144, 112]);
});

const edits: ReadonlyArray<readonly [what: string, edit: (text: string) => string, kind: string, part: string]> = [
  [
    "a changed value",
    (text) => text.replace("db-id=1\n", "db-id=2\n"),
    "Checksum",
    "invalid checksum, actual '29454dac8d7a43a0187b507caed53bfc19371d32'",
  ],
  [
    "no checksum",
    (text) => text.replace(/\n\[backrest\]\nbackrest-checksum.*\n/, "\n"),
    "Checksum",
    "no checksum found",
  ],
  [
    "another format",
    (text) => withChecksum(text.replace("backrest-format=5", "backrest-format=6")),
    "Format",
    "expected format 5 but found 6",
  ],
  [
    "lines with carriage returns",
    (text) => text.replaceAll("\n", "\r\n"),
    "Format",
    "key/value found outside of section at line 1",
  ],
  ["a comment", (text) => text.replace("[db]", "# comment\n[db]"), "Format", "missing '=' in key/value"],
  [
    "a current id that is not in the history",
    (text) => withChecksum(text.replace("db-id=1\n", "db-id=3\n")),
    "Format",
    "unable to find current id in history",
  ],
  ["no history", (text) => withChecksum(text.replace(/\[db:history\]\n.*\n/, "")), "Format", "history is missing"],
  [
    "a missing key",
    (text) => withChecksum(text.replace(',"db-version":"15"', "")),
    "JsonFormat",
    "required key 'db-version' not found",
  ],
  [
    "a version that would leave the archive",
    (text) => withChecksum(text.replaceAll('"15"', '"../../x"')),
    "Format",
    "is not a PostgreSQL version",
  ],
  [
    "a history id that is none",
    (text) => withChecksum(text.replace("\n1={", "\n1/../2={")),
    "Format",
    "is not a history id",
  ],
  ["nothing", () => "", "Checksum", "no checksum found"],
  ["rubbish", () => "\u0000\u0001\u0002[[[", "Format", "outside of section"],
];
for (const [what, edit, kind, part] of edits) {
  Deno.test(`archive.info with ${what} is refused`, async () => {
    const error = await assertThrows<WalferryError>(() => parseArchiveInfo(edit(ARCHIVE_INFO)));
    assertEquals(error.kind, kind, error.message);
    assertIncludes(error.message, part);
  });
}

Deno.test("unknown sections and keys, and white space inside values, are accepted as long as the checksum holds", () => {
  const text = withChecksum(
    ARCHIVE_INFO.replace("[db]", '[aaa]\nx={"y":1}\n\n[db]\nzzz=true').replace('{"db-id":', '{ "db-id": '),
  );
  assertEquals(parseArchiveInfo(text).currentId, 1);
});

for (
  const name of [
    "pg_data/../../etc/passwd",
    "pg_data/./x",
    "/etc/passwd",
    "pg_data//x",
    "pg_datax/y",
    "pg_tblspc/../x",
    "other/x",
    "pg_data/",
    "",
  ]
) {
  Deno.test(`a manifest with the name ${JSON.stringify(name)} is refused`, async () => {
    assertEquals(isManifestName(name), false);
    for (const from of ["pg_data/PG_VERSION={", "pg_data/base={}"]) {
      const to = from.replace(/^[^=]*/, name || "=");
      const error = await assertThrows<WalferryError>(() =>
        parseManifest(withChecksum(MANIFEST.replace(`\n${from}`, `\n${to}`)))
      );
      assertEquals(["Format", "JsonFormat"].includes(error.kind), true, error.message);
    }
  });
}

Deno.test("a manifest entry without size or timestamp, with a bad reference or twice is refused", async () => {
  const messageOf = async (from: string | RegExp, to: string) =>
    (await assertThrows<WalferryError>(() => parseManifest(withChecksum(MANIFEST.replace(from, to))))).message;
  assertIncludes(await messageOf(/("rck":"b8b3[^}]*)"size":3,/, "$1"), "missing size for file 'pg_data/PG_VERSION'");
  assertIncludes(
    await messageOf(/("rck":"b8b3[^}]*),"timestamp":\d+/, "$1"),
    "missing timestamp for file 'pg_data/PG_VERSION'",
  );
  assertIncludes(await messageOf(/"reference":"[^"]*"/, '"reference":"../../x"'), "is not a backup label");
  assertIncludes(await messageOf("pg_data/base={}", "pg_data/base={}\npg_data/base={}"), "stands twice");
});

Deno.test("a file from before 1970 has its time, in the form of the original too", () => {
  const [entry] = [
    ...parseManifest(withChecksum(MANIFEST.replace(
      /("rck":"b8b3[^}]*,"timestamp":)\d+/,
      (_, before) => `${before}18446744073551785216`,
    ))).files,
  ].filter(({ name }) => name === "pg_data/PG_VERSION");
  assertEquals(entry?.timestamp, -157766400);
});

Deno.test("lines of files are read the same whether they are of the usual form or not", async () => {
  const next = random(11);
  const pick = <T>(...choices: readonly T[]): T => choices[next(choices.length)]!;
  const maybe = (text: string) => next(2) === 0 ? text : "";
  const hex = () => Array.from({ length: 40 }, () => next(16).toString(16)).join("");
  const sections = MANIFEST.split("[target:file]\n");
  const behind = sections[1]!.slice(sections[1]!.indexOf("\n\n["));
  const outcomeOf = async (line: string): Promise<unknown> => {
    const text = withChecksum(`${sections[0]}[target:file]\n${line}${behind}`);
    try {
      return [...parseManifest(text).files];
    } catch (error) {
      return await Promise.resolve(String(error));
    }
  };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const name = `pg_data/${
      pick("base/1/2", "PG_VERSION", "a=b", 'say "x"', "ä💾", "..", "a//b", "global/pg_control", "x/../y", ".x", "...")
    }`;
    const blocks = next(3) === 0
      ? `"bi":${next(40)},${maybe(`"bic":${6 + next(11)},`)}${maybe(`"bim":${next(1000)},`)}`
      : "";
    const bundle = next(3) === 0 ? `"bni":${next(9)},${maybe(`"bno":${next(100_000)},`)}` : "";
    const checksum = pick(
      `"checksum":"${hex()}",`,
      `"checksum":"${hex()}",`,
      `"checksum":"${hex()}",`,
      "",
      `"checksum":"${hex().slice(1)}",`,
    );
    const pages = pick(
      "",
      `"checksum-page":${pick("true", "false")},`,
      `"checksum-page":false,"checksum-page-error":[1,[3,4]],`,
    );
    const owner = `${maybe(`"group":${pick('"gx"', "false", "true", '"q\\"x"')},`)}${
      maybe(`"mode":"${pick("0600", "0644", "0888")}",`)
    }`;
    const stored = `${maybe(`"rck":"${hex()}",`)}${
      maybe(`"reference":"${pick("20261121-001700F", "20261121-001700F_20261122-001700I", "nonsense", "2026")}",`)
    }${maybe(`"repo-size":${next(9000)},`)}`;
    const size = `"size":${pick("0", "8192", "9007199254740993", "1e3", "-1")},${maybe(`"szo":${next(9000)},`)}`;
    const time = `"timestamp":${pick("1795220220", "-5", '"x"')}${maybe(`,"user":${pick('"ux"', "false", "null")}`)}`;
    const value = `${blocks}${bundle}${checksum}${pages}${owner}${stored}${size}${time}`;
    // White space is no usual form, and means nothing.
    const [usual, unusual] = [await outcomeOf(`${name}={${value}}`), await outcomeOf(`${name}={ ${value}}`)];
    assertEquals(usual, unusual, `${name}={${value}}`);
    if (typeof usual === "string") refused += 1;
  }
  assert(refused > 300 && refused < 2900, `${refused} of 3000 were refused`);
});

Deno.test("a key that no line can hold is not written", async () => {
  const manifest = parseManifest(MANIFEST);
  for (const name of ["two\nlines", ""]) {
    const render =
      () => [...renderManifest({ ...manifest, databases: [{ name, oid: 16_384, lastSystemOid: 12_000 }] })];
    const { kind, message } = await assertThrows<WalferryError>(render);
    assertEquals(kind, "Format");
    assertIncludes(message, `${JSON.stringify(name)} in section 'db'`);
  }
});

Deno.test("JSON keeps 64-bit integers exact and sorts keys by bytes", () => {
  assertEquals(
    renderJson(parseJson('{"b":18446744073709551615,"a":[1,-2,"x\\n\\"\\u0041"]}')),
    '{"a":[1,-2,"x\\n\\"A"],"b":18446744073709551615}',
  );
  assertEquals(["é", "z", "a", "Z", "𐍈", "\uffff"].sort(compareBytes), ["Z", "a", "z", "é", "\uffff", "𐍈"]);
});

for (
  const bad of [
    "",
    "{",
    '{"a"}',
    '{"a":1,}',
    "[1,]",
    '"x',
    "01x",
    "1.5",
    "1e5",
    "nul",
    "99999999999999999999999",
    '{"a":1,"a":2}',
    "[".repeat(100),
    '"\\x"',
  ]
) {
  Deno.test(`JSON ${JSON.stringify(bad.slice(0, 12))} is refused`, async () => {
    assertEquals((await assertThrows<WalferryError>(() => parseJson(bad))).kind, "JsonFormat");
  });
}

Deno.test("a manifest of a hundred thousand files is read and written in seconds", () => {
  const line = (index: number) =>
    `pg_data/base/5/${
      String(index).padStart(8, "0")
    }={"checksum":"587b596f04f7db9c2cad3d6b87dd2b3a05de4f35","size":3,"timestamp":1795220207}`;
  const many = Array.from({ length: 100_000 }, (_, index) => line(index)).join("\n");
  const text = withChecksum(MANIFEST.replace(/\[target:file\]\n[\s\S]*?\n\n/, `[target:file]\n${many}\n\n`));
  const start = process.cpuUsage();
  const manifest = parseManifest(text);
  assertEquals(manifest.files.length, 100_000);
  assertEquals([...renderManifest(manifest)].join("").length, text.length);
  const { user, system } = process.cpuUsage(start);
  assert((user + system) / 1e6 < 20, "far too slow");
});

Deno.test("names of WAL: directories, neighbours, ranges and locations", () => {
  assertEquals(walDirectory("000000010000000000000003.00000028.backup"), "0000000100000000");
  assertEquals(walDirectory("00000002.history"), "");
  assertEquals(nextSegmentName("0000000100000000000000FF", 16 << 20), "000000010000000100000000");
  assertEquals(nextSegmentName("000000010000000000000003", 1 << 30), "000000010000000100000000");
  assertEquals([...segmentRange("0000000100000000000000FE", "000000010000000100000001", 16 << 20)].length, 4);
  assertEquals(segmentOfLsn(2, "1/5000028", 16 << 20), "000000020000000100000005");
  assertEquals(parseLsn("16/B374D848"), 0x16B374D848n);
});

Deno.test("labels are told apart and made from local time", () => {
  assertEquals(parseLabel("20261121-001653F_20261121-001900D"), {
    label: "20261121-001653F_20261121-001900D",
    full: "20261121-001653F",
    type: "diff",
  });
  for (
    const text of [
      "20261121-001653",
      "20261121-001653F_",
      "20261121-001653F_20261121-001900F",
      "../20261121-001653F",
      "20261121-001653F\n",
    ]
  ) {
    assertEquals(parseLabel(text), undefined);
  }
  const start = new Date(2026, 10, 21, 0, 16, 53).getTime() / 1000;
  assertEquals(formatLabel("full", start), "20261121-001653F");
  assertEquals(formatLabel("incr", start, "20261120-000000F"), "20261120-000000F_20261121-001653I");
});
