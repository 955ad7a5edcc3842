/** Small files stored together: which, how, and next to repositories that store each alone. */
import { start } from "../../src/backup/copy_job.ts";
import type { CopyRequest } from "../../src/backup/copy_request.ts";
import { BUNDLE_FILES_MAX, orderJobs } from "../../src/backup/copy_jobs.ts";
import { planBackup } from "../../src/backup/planner.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  backUp,
  change,
  CONTROL,
  own,
  RELATION,
  type Scene,
  settledScene,
  verifyBackup,
} from "../support/backup_scene.ts";
import { referencesIn } from "../support/backup_plans.ts";
import { relationPages, temporaryDirectory, writeFile } from "../support/cluster_files.ts";

const BUNDLE = { sizeBytes: 1024 * 1024, limitBytes: 1024 * 1024 };

/** The scene with other settings of its repositories. */
function withBundles(scene: Scene, ...bundles: (typeof BUNDLE | undefined)[]): Scene {
  const configs = scene.configs.map((config, index) => ({ ...config, bundle: bundles[index] }));
  return { ...scene, configs };
}

function file(name: string, sizeBytes: number, timestamp: number): ManifestFile {
  return { name, sizeBytes, repoSizeBytes: sizeBytes, timestamp, mode: 0o600, user: false, group: false };
}

Deno.test("bundles are filled by age, behind the large files, a queue for each disk", () => {
  const files = [
    file("pg_data/a", 600, 3),
    file("pg_data/b", 600, 1),
    file("pg_data/c", 600, 2),
    file("pg_data/empty", 0, 1),
    file("pg_data/global/pg_control", 100, 9),
    file("pg_data/large", 5000, 1),
    file("pg_tblspc/1/x", 10, 1),
  ];
  const settings = { checksumPage: false, delta: false, prior: undefined };
  const bundle = { sizeBytes: 1000, limitBytes: 1000 };
  const plan = planBackup(files, new Map([[1, { ...settings, bundle }], [2, { ...settings, bundle: undefined }]]));
  const jobs = [...orderJobs(plan.copies, 1000)];
  assertEquals(jobs.map(({ copies, bundleId }) => [bundleId, copies.map((copy) => copy.file.name)]), [
    [undefined, ["pg_data/large"]],
    [1, ["pg_tblspc/1/x"]],
    [undefined, ["pg_data/global/pg_control"]],
    [undefined, ["pg_data/empty"]],
    [2, ["pg_data/b", "pg_data/c"]],
    [3, ["pg_data/a"]],
  ]);
  // The empty file is stored by the repository without bundles only.
  assertEquals(referencesIn(plan, 1).map(({ name, repoSizeBytes }) => [name, repoSizeBytes]), [["pg_data/empty", 0]]);
  assertEquals([...jobs[3]!.copies[0]!.targets.keys()], [2]);
  assertEquals(jobs[4]!.copies[0]!.targets.get(2)!.bundled, false);
});

for (const compressType of ["none", "gz", "lz4", "zst", "bz2"] as const) {
  Deno.test(`one reading fills bundles here and writes single files there (${compressType})`, async () => {
    using settled = await settledScene("secret", undefined, undefined);
    const scene = withBundles(settled, BUNDLE, undefined, { ...BUNDLE, limitBytes: 8192 });
    const { report } = await backUp(scene, { compress: { type: compressType }, checksumPage: true });
    assertEquals(report.failures, []);
    const manifests = [];
    for (const config of scene.configs) manifests.push(await verifyBackup(config, report.label));
    const members = manifests.map(({ files }) => [...files].filter(({ bundleId }) => bundleId !== undefined));
    const [first, second, third] = manifests;
    assertEquals([first!.bundle, second!.bundle, third!.bundle, first!.bundleRaw], [true, false, true, false]);
    // All but the empty, the large one and the control file.
    assertEquals(members.map(({ length }) => length), [first!.files.length - 3, 0, third!.files.length - 5]);
    assertEquals(
      manifests.map(({ files }) =>
        [...files].map(({ name, checksum, checksumPage }) => [name, checksum, checksumPage])
      ),
      manifests.map(() => [...first!.files].map(({ name, checksum, checksumPage }) => [name, checksum, checksumPage])),
    );
    const directory = [...Deno.readDirSync(`${scene.base}/repo1/backup/main/${report.label}`)].map(({ name }) => name);
    assertEquals(directory.sort(), ["backup.manifest", "backup.manifest.copy", "bundle", "pg_data"]);
  });
}

Deno.test("a chain goes from bundles to single files and back", async () => {
  using scene = await settledScene("secret");
  const [config] = scene.configs;
  const gz = { compress: { type: "gz" } } as const;
  const full = (await backUp(withBundles(scene, BUNDLE), gz)).report;
  change(scene, RELATION, relationPages(41));
  const alone = (await backUp(scene, { ...gz, type: "incr" })).report;
  change(scene, "base/1/1259", relationPages(6));
  const again = (await backUp(withBundles(scene, BUNDLE), { ...gz, type: "incr" })).report;
  const manifests = [];
  for (const { label } of [full, alone, again]) manifests.push(await verifyBackup(config!, label));
  const empty = "pg_data/base/1/2600";
  assertEquals(manifests.slice(1).map(own), [
    [empty, `pg_data/${RELATION}`, CONTROL],
    ["pg_data/base/1/1259", empty, CONTROL],
  ]);
  const relation = [...manifests[2]!.files].find(({ name }) => name === `pg_data/${RELATION}`);
  assertEquals([relation?.reference, relation?.bundleId], [alone.label, undefined]);
  const version = [...manifests[1]!.files].find(({ name }) => name === "pg_data/PG_VERSION");
  assertEquals([version?.reference, version?.bundleId], [full.label, 1]);
});

async function runJob(
  base: string,
  files: (Partial<CopyRequest> & { name: string; sizeBytes: number })[],
  second: string,
) {
  const target = {
    directory: "L",
    compress: { type: "none" },
    cipherPass: undefined,
    bundleFraming: "normal",
    reference: 0,
  } as const;
  const run = await start({
    targets: [
      { ...target, key: 1, storage: { type: "posix", path: `${base}/repo1` } },
      { ...target, key: 2, storage: { type: "posix", path: second } },
    ],
    pgPath: `${base}/pg`,
    pgVersionForce: undefined,
    pageBytes: 8192,
    pageHeaderCheck: true,
    bufferBytes: 65536,
  });
  const requests = files.map((one) => ({
    path: `${base}/pg/${one.name}`,
    source: "file" as const,
    firstBlock: undefined,
    targets: [{ key: 1, bundled: true }, { key: 2, bundled: true }],
    ...one,
  }));
  return (await run({ files: requests, bundleId: 7 }, () => {})).files;
}

Deno.test("members lie one behind the other; what is gone, emptied or unchanged takes no place", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  for (const [name, content] of [["a", "first"], ["b", ""], ["c", "same"], ["d", "last"]] as const) {
    writeFile(`${base}/pg/${name}`, content);
  }
  const results = await runJob(base, [
    { name: "a", sizeBytes: 5 },
    { name: "b", sizeBytes: 8192, firstBlock: 0 },
    { name: "gone", sizeBytes: 5 },
    {
      name: "c",
      sizeBytes: 4,
      targets: [{ key: 1, bundled: true, unchangedChecksum: sha1Hex(new TextEncoder().encode("same")) }, {
        key: 2,
        bundled: true,
      }],
    },
    { name: "d", sizeBytes: 4 },
  ], `${base}/repo2`);
  const offsets = results.map((result) =>
    result.status === "missing"
      ? "missing"
      : result.stored.map((one) => one.status === "stored" ? one.bundleOffset : one.status)
  );
  assertEquals(offsets, [[0, 0], [undefined, undefined], "missing", ["unchanged", 5], [5, 9]]);
  assertEquals(results[1]!.status === "copied" && [results[1]!.sizeBytes, results[1]!.pages], [0, { valid: true }]);
  assertEquals(Deno.readTextFileSync(`${base}/repo1/L/bundle/7`), "firstlast");
  assertEquals(Deno.readTextFileSync(`${base}/repo2/L/bundle/7`), "firstsamelast");
});

Deno.test("a large file that the server emptied has no place in the bundle either", async () => {
  using directory = temporaryDirectory();
  writeFile(`${directory.path}/pg/a`, "");
  const [result] = await runJob(directory.path, [{ name: "a", sizeBytes: 3_000_000 }], `${directory.path}/repo2`);
  assertEquals(
    result!.status === "copied" && [result!.sizeBytes, result!.stored],
    [0, [1, 2].map((key) => ({ key, status: "stored" as const, sizeBytes: 0, checksum: undefined }))],
  );
});

Deno.test("a bundle without members is not there", async () => {
  using directory = temporaryDirectory();
  Deno.mkdirSync(`${directory.path}/pg`);
  const results = await runJob(directory.path, [{ name: "gone", sizeBytes: 5 }], `${directory.path}/repo2`);
  assertEquals(results, [{ status: "missing" }]);
  assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["pg"]);
});

Deno.test("a bundle that cannot be written fails all its members, in that repository only", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  writeFile(`${base}/broken`, "x");
  writeFile(`${base}/pg/a`, "first");
  writeFile(`${base}/pg/b`, relationPages(200));
  const files = [{ name: "a", sizeBytes: 5 }, { name: "b", sizeBytes: 200 * 8192 }];
  const results = await runJob(base, files, `${base}/broken/repo`);
  const statuses = results.map((result) => result.status === "copied" && result.stored.map(({ status }) => status));
  assertEquals(statuses, [["stored", "failed"], ["stored", "failed"]]);
  assertEquals(Deno.statSync(`${base}/repo1/L/bundle/7`).size, 5 + 200 * 8192);
});

Deno.test("a cluster file that cannot be read leaves no part of its bundle", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  // So much that the store has some of it before the next member fails.
  writeFile(`${base}/pg/a`, relationPages(100));
  Deno.mkdirSync(`${base}/pg/b`);
  const run = runJob(
    base,
    [{ name: "a", sizeBytes: 100 * 8192 }, { name: "b", sizeBytes: 3_000_000 }],
    `${base}/repo2`,
  );
  assert(await run.then(() => false, () => true));
  assertEquals([...Deno.readDirSync(`${base}/repo1/L/bundle`)], []);
});

Deno.test("a bundle of very small files ends with so many that they fit into one message", () => {
  const files = Array.from(
    { length: 2 * BUNDLE_FILES_MAX + 1 },
    (_, index) => file(`pg_data/base/5/${10_000 + index}`, 1, 1),
  );
  const bundle = { sizeBytes: 1_000_000, limitBytes: 100 };
  const plan = planBackup(files, new Map([[1, { checksumPage: false, delta: false, prior: undefined, bundle }]]));
  assertEquals([...orderJobs(plan.copies, 1_000_000)].map(({ copies, bundleId }) => [bundleId, copies.length]), [
    [1, BUNDLE_FILES_MAX],
    [2, BUNDLE_FILES_MAX],
    [3, 1],
  ]);
});
