/**
 * What `manifest` shows of a backup: its head, and a list of its files with where their bytes are (behaviour spec §7.9). Words and members, and
 * their order, are pgBackRest's; its blocks of a single file are not shown.
 */
import { renderAnswer } from "../format/json.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { SHA1_OF_NOTHING } from "../format/manifest_codec.ts";
import { shownName } from "../report/shown_text.ts";
import { formatLocalTime, formatSize } from "../report/units.ts";

/** Files that are shown. */
export type FileChoice = (file: ManifestFile) => boolean;

/** Text of a report in pieces, so that a long list is never one string. */
export function* renderManifestText(manifest: Manifest, isShown: FileChoice): Generator<string> {
  const { timestampStart: start, timestampStop: stop } = manifest;
  const time = (seconds: number) => formatLocalTime(seconds * 1000);
  yield `label: ${manifest.label}\n` +
    `reference: ${references(manifest).join(", ")}\n` +
    `type: ${manifest.type}\n` +
    `time: start: ${time(start)}, stop: ${time(stop)}, duration: ${clockTime(stop - start)}\n` +
    `bundle: ${manifest.bundle}\n` +
    `block: ${manifest.blockIncremental}\n\nfile list:\n`;
  let separator = "";
  for (const file of manifest.files) {
    if (!isShown(file)) continue;
    yield `${separator}${fileText(file)}`;
    separator = "\n";
  }
}

function fileText(file: ManifestFile): string {
  const facts = [
    ...(file.reference === undefined ? [] : [`reference: ${file.reference}`]),
    `size: ${formatSize(file.sizeBytes)}, repo ${formatSize(file.repoSizeBytes)}`,
    `checksum: ${file.checksum ?? SHA1_OF_NOTHING}`,
    ...(file.bundleId === undefined ? [] : [`bundle: ${file.bundleId}`]),
    ...(file.blockMapBytes === undefined ? [] : [
      `block: size ${formatSize(file.blockSizeBytes!)}, map size ${formatSize(file.blockMapBytes)}, ` +
      `checksum size ${formatSize(file.blockChecksumBytes!)}`,
    ]),
  ];
  return `  - ${shownName(file.name)}\n${facts.map((fact) => `      ${fact}\n`).join("")}`;
}

/** `1:02:03`; hours as many as there are. */
function clockTime(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** One JSON object in pieces: the head, and `fileList` in the order of the manifest. */
export function* renderManifestJson(manifest: Manifest, isShown: FileChoice): Generator<string> {
  yield `{${
    members([
      ["label", manifest.label],
      ["reference", references(manifest)],
      ["type", manifest.type],
    ])
  },"time":{${
    members([
      ["start", manifest.timestampStart],
      ["copy", manifest.timestampCopyStart],
      ["stop", manifest.timestampStop],
    ])
  }},"bundle":{${
    members([["bundle", manifest.bundle], ["raw", manifest.bundleRaw]])
  }},"block":{"block":${manifest.blockIncremental}},"fileList":[`;
  let separator = "";
  for (const file of manifest.files) {
    if (!isShown(file)) continue;
    yield `${separator}${fileJson(file)}`;
    separator = ",";
  }
  yield "]}\n";
}

function fileJson(file: ManifestFile): string {
  const head = members([
    ["name", file.name],
    ...(file.reference === undefined ? [] : [["reference", file.reference] as const]),
    ["size", file.sizeBytes],
    ["checksum", file.checksum ?? SHA1_OF_NOTHING],
    ["repo", { size: file.repoSizeBytes }],
    ...(file.bundleId === undefined
      ? []
      : [["bundle", { id: file.bundleId, offset: file.bundleOffset ?? 0 }] as const]),
  ]);
  if (file.blockMapBytes === undefined) return `{${head}}`;
  return `{${head},"block":{"size":${file.blockSizeBytes},"map":{"size":${file.blockMapBytes}},` +
    `"checksum":{"size":${file.blockChecksumBytes}}}}`;
}

/** Members of an object in an order of their own. */
function members(of: ReadonlyArray<readonly [name: string, value: Parameters<typeof renderAnswer>[0]]>): string {
  return of.map(([name, value]) => `"${name}":${renderAnswer(value)}`).join(",");
}

/** Backups whose files this one needs, itself as the last; older manifests do not list them. */
function references(manifest: Manifest): string[] {
  const listed = manifest.references ??
    manifest.files.values().flatMap(({ reference }) => (reference === undefined ? [] : [reference]));
  return [...new Set([...listed, manifest.label])].sort();
}
