/** Damaged and hostile info files and configuration: every outcome is a value or an error of ours, in bounded time. */
import { parseConfig } from "../../src/cli/config_file.ts";
import { WalferryError } from "../../src/errors.ts";
import { parseArchiveInfo } from "../../src/format/archive_info.ts";
import { parseBackupInfo } from "../../src/format/backup_info.ts";
import { parseJson } from "../../src/format/json.ts";
import { isManifestName, parseManifest, renderManifest } from "../../src/format/manifest_codec.ts";
import { assert } from "../support/assert.ts";
import { ARCHIVE_INFO, BACKUP_INFO, MANIFEST, withChecksum } from "../support/info_samples.ts";
import { random } from "../support/random.ts";

const ROUNDS = 3000;
/** Longest time one input may take, milliseconds. */
const INPUT_MS = 2000;

const SPICE = [
  "../",
  "/",
  "\0",
  "\n",
  "=",
  "{",
  "[",
  "]",
  '"',
  "\\",
  "\\u0000",
  "99999999999999999999",
  "-1",
  "null",
  "true",
  "é",
  "\ud800",
  "__proto__",
  "[backrest]\n",
  "constructor",
];

function mutate(text: string, next: (below: number) => number): string {
  let result = text;
  for (let count = 1 + next(4); count > 0; count--) {
    const at = next(result.length + 1);
    const lines = result.split("\n");
    switch (next(7)) {
      case 0:
        result = result.slice(0, at) + SPICE[next(SPICE.length)]! + result.slice(at);
        break;
      case 1:
        result = result.slice(0, at) + result.slice(at + 1 + next(20));
        break;
      case 2:
        result = result.slice(0, at);
        break;
      case 3:
        lines.splice(next(lines.length), 0, lines[next(lines.length)]!);
        result = lines.join("\n");
        break;
      case 4:
        result = result.slice(0, at) + String.fromCharCode(next(256)) + result.slice(at + 1);
        break;
      case 5:
        lines.splice(next(lines.length), 1);
        result = lines.join("\n");
        break;
      default:
        result = result.replace(/\d+/, () => "9".repeat(1 + next(25)));
    }
  }
  return result;
}

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
  Deno.test(`${ROUNDS} mutations of ${name} give a value or an error of ours`, () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const next = random(seed);
      const mutated = mutate(sample, next);
      // With the checksum made right the parsers behind it are reached.
      const input = checked && seed % 2 === 0 ? withChecksum(mutated) : mutated;
      const startMs = performance.now();
      try {
        parse(input);
      } catch (error) {
        assert(error instanceof WalferryError, `seed ${seed}: ${(error as Error).stack}`);
      }
      assert(performance.now() - startMs < INPUT_MS, `seed ${seed} took too long`);
    }
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
