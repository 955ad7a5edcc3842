/** Damaged and hostile info files and configuration: every outcome is a value or an error of ours, in bounded time. */
import { parseConfig } from "../../src/cli/config_file.ts";
import { WalferryError } from "../../src/errors.ts";
import { parseArchiveInfo } from "../../src/format/archive_info.ts";
import { parseBackupInfo } from "../../src/format/backup_info.ts";
import { parseJson } from "../../src/format/json.ts";
import { isManifestName, parseManifest, renderManifest } from "../../src/format/manifest_codec.ts";
import { assert } from "../support/assert.ts";
import { ARCHIVE_INFO, BACKUP_INFO, MANIFEST, withChecksum } from "../support/info_samples.ts";
import { fuzz, fuzzRounds, mutateText } from "../support/mutations.ts";

const ROUNDS = fuzzRounds(3000);

const parsers: ReadonlyArray<
  readonly [name: string, sample: string, checked: boolean, parse: (text: string) => unknown]
> = [
  ["archive.info", ARCHIVE_INFO, true, parseArchiveInfo],
  ["backup.info", BACKUP_INFO, true, parseBackupInfo],
  ["backup.manifest", MANIFEST, true, (text) => {
    const manifest = parseManifest(text);
    for (const { name } of [...manifest.files, ...manifest.paths, ...manifest.links, ...manifest.targets]) {
      assert(isManifestName(name) && !name.split("/").includes(".."), `the name ${JSON.stringify(name)} got through`);
    }
    return [...renderManifest(manifest)];
  }],
  ["JSON", BACKUP_INFO.split("\n").find((line) => line.startsWith("2026"))!.replace(/^[^=]*=/, ""), false, parseJson],
  ["configuration", "[global]\nrepo1-path=/x\n# c\n[main]\npg1-path=/y\n", false, (text) => parseConfig(text, "x")],
];

for (const [name, sample, checked, parse] of parsers) {
  Deno.test(`${ROUNDS} mutations of ${name} give a value or an error of ours`, async () => {
    // With the checksum made right the parsers behind it are reached.
    const make = (next: (below: number) => number, seed: number) => {
      const mutated = mutateText(sample, next);
      return checked && seed % 2 === 0 ? withChecksum(mutated) : mutated;
    };
    await fuzz(ROUNDS, make, parse);
  });
}

Deno.test("a key of many equal signs and a very long line do not take forever", () => {
  const startMs = performance.now();
  for (const line of [`${"=".repeat(200_000)}x`, `a=${"[".repeat(100_000)}`, `${'a="'.repeat(50_000)}`]) {
    try {
      parseArchiveInfo(`[x]\n${line}\n`);
    } catch (error) {
      assert(error instanceof WalferryError);
    }
  }
  assert(performance.now() - startMs < 20_000);
});
