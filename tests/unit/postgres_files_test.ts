/** Control files and WAL headers of every release, as real clusters wrote them. */
import { WalferryError } from "../../src/errors.ts";
import { formatLsn } from "../../src/format/wal_name.ts";
import {
  invalidateCheckpoint,
  parseControl,
  readControlBytes,
  readControlFile,
} from "../../src/postgres/control_file.ts";
import { crc32c } from "../../src/stream/crc32c.ts";
import { PG_RELEASES, tablespaceDirectory } from "../../src/postgres/version.ts";
import { readWalHeader } from "../../src/postgres/wal_header.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { CLUSTER_VECTORS, controlFileOf, fromHex } from "../support/cluster_vectors.ts";

function clusterWith(control: Uint8Array): { path: string } & Disposable {
  const path = Deno.makeTempDirSync();
  Deno.mkdirSync(`${path}/global`);
  Deno.writeFileSync(`${path}/global/pg_control`, control);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Changes a control file and makes its CRC right again. */
function changed(version: string, change: (view: DataView) => void): Uint8Array {
  const bytes = controlFileOf(version);
  const view = new DataView(bytes.buffer);
  change(view);
  const crcAt = version === "18" ? 292 : 288;
  view.setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)), true);
  return bytes;
}

Deno.test("CRC-32C gives the check value of its definition", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(0)), 0);
});

for (const vector of CLUSTER_VECTORS) {
  Deno.test(`the control file of a cluster of release ${vector.version} is read`, () => {
    using cluster = clusterWith(controlFileOf(vector.version));
    const release = PG_RELEASES.find(({ version }) => version === vector.version)!;
    const control = readControlFile(cluster.path);
    assertEquals(formatLsn(control.checkpointLsn), vector.checkpointLsn);
    assertEquals({ ...control, checkpointLsn: 0n }, {
      pgVersion: vector.version,
      systemId: vector.systemId,
      controlVersion: release.controlVersion,
      catalogVersion: release.catalogVersion,
      checkpointLsn: 0n,
      timeline: 1,
      walSegmentBytes: 16 * 1024 * 1024,
      pageChecksums: true,
      pageBytes: 8192,
    });
  });

  Deno.test(`the header of a WAL segment of release ${vector.version} is read`, () => {
    assertEquals(readWalHeader(fromHex(vector.walHeader)), {
      pgVersion: vector.version,
      systemId: vector.systemId,
      segmentBytes: 16 * 1024 * 1024,
      startLsn: 0x1000000n,
    });
  });

  Deno.test(`only checkpoint and CRC change when the checkpoint of release ${vector.version} is made invalid`, () => {
    const before = controlFileOf(vector.version);
    const after = invalidateCheckpoint(before);
    using cluster = clusterWith(after);
    assertEquals(readControlFile(cluster.path).checkpointLsn, 0xdeadn);
    const crcAt = vector.version === "18" ? 292 : 288;
    const differing = [...after.keys()].filter((at) => after[at] !== before[at]);
    assert(differing.every((at) => (at >= 32 && at < 40) || (at >= crcAt && at < crcAt + 4)), differing.join());
    assertEquals(before, controlFileOf(vector.version), "the input was changed");
  });
}

Deno.test("any flipped bit in what the CRC covers is noticed", async () => {
  for (const at of [0, 9, 33, 51, 230, 252, 287, 288]) {
    const bytes = controlFileOf("15");
    bytes[at]! ^= 1;
    await assertThrows<WalferryError>(
      () => invalidateCheckpoint(bytes),
      (error) => assert(["Checksum", "VersionNotSupported"].includes(error.kind), `byte ${at}: ${error.message}`),
    );
  }
});

Deno.test("an unknown catalog version is refused with 46 unless the version is forced", async () => {
  const beta = changed("17", (view) => view.setUint32(12, 202405161, true));
  using cluster = clusterWith(beta);
  const error = await assertThrows<WalferryError>(() => readControlFile(cluster.path));
  assertEquals(error.code, 46);
  assertIncludes(error.text, "unexpected control version = 1700 and catalog version = 202405161");
  const forced = readControlFile(cluster.path, "17");
  assertEquals([forced.pgVersion, forced.catalogVersion], ["17", 202405161]);
});

Deno.test("an unknown control version is news about the version, not about damage", async () => {
  using cluster = clusterWith(changed("18", (view) => view.setUint32(8, 1900, true)));
  assertEquals((await assertThrows<WalferryError>(() => readControlFile(cluster.path))).code, 46);
  assertEquals(readControlFile(cluster.path, "18").controlVersion, 1900);
});

Deno.test("a missing or short control file says which", async () => {
  using cluster = clusterWith(new Uint8Array(100));
  assertEquals((await assertThrows<WalferryError>(() => readControlFile(cluster.path))).kind, "FileInvalid");
  const missing = await assertThrows<WalferryError>(() => readControlFile(`${cluster.path}/none`));
  assertEquals([missing.code, missing.message], [
    55,
    `unable to open missing file '${cluster.path}/none/global/pg_control' for read`,
  ]);
  assertEquals(missing.hint, `is '${cluster.path}/none' the data directory of the cluster?`);
});

Deno.test("a control file that is being written is read again until it is whole", async () => {
  const good = controlFileOf("16");
  const torn = good.slice();
  torn.fill(0, 100, 200);
  using cluster = clusterWith(torn);
  Deno.writeFileSync(`${cluster.path}/good`, good);
  // The read below blocks this thread, so another process has to complete the file.
  const writer = new Deno.Command("sh", { args: ["-c", "sleep 0.1; mv good global/pg_control"], cwd: cluster.path })
    .spawn();
  assertEquals(readControlBytes(cluster.path), good);
  assert((await writer.status).success);
});

Deno.test("values are parsed without a check when asked so, and checksums may be off", () => {
  const off = changed("14", (view) => view.setUint32(252, 0, true));
  assertEquals(parseControl(off).pageChecksums, false);
});

Deno.test("a WAL header that is none is refused", async () => {
  const header = fromHex(CLUSTER_VECTORS[2]!.walHeader);
  const cases: [Uint8Array, string][] = [
    [header.subarray(0, 39), "Format"],
    [Uint8Array.of(0x0f, ...header.subarray(1)), "VersionNotSupported"],
    [Uint8Array.of(...header.subarray(0, 2), 0, ...header.subarray(3)), "Format"],
  ];
  for (const [bytes, kind] of cases) {
    assertEquals((await assertThrows<WalferryError>(() => readWalHeader(bytes))).kind, kind);
  }
  assertEquals(readWalHeader(cases[1]![0], "15").pgVersion, "15");
});

Deno.test("a tablespace keeps each release in a directory of its own", () => {
  assertEquals(tablespaceDirectory("15", 202209061), "PG_15_202209061");
});
