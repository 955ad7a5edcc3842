/** What `manifest` shows of a backup: its head, and a list of its files with where their bytes are (behaviour spec §7.9). */
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { renderAnswer } from "../format/json.ts";
import { formatLocalTime, formatSize, formatUtcOffset } from "../report/units.ts";

/** Files that are shown. */
export type FileChoice = (file: ManifestFile) => boolean;

/** Text of a report in pieces, so that a long list is never one string. */
export function* renderManifestText(manifest: Manifest, isShown: FileChoice): Generator<string> {
  const time = (seconds: number) => `${formatLocalTime(seconds * 1000)}${formatUtcOffset(seconds * 1000)}`;
  const yesNo = (value: boolean) => (value ? "y" : "n");
  yield `label: ${manifest.label}\n` +
    `reference: ${otherReferences(manifest).join(", ") || "none"}\n` +
    `type: ${manifest.type}\n` +
    `time: ${time(manifest.timestampStart)} / ${time(manifest.timestampStop)}\n` +
    `bundle: ${yesNo(manifest.bundle)}\n` +
    `block: ${yesNo(manifest.blockIncremental)}\n\nlist:\n`;
  for (const file of manifest.files) {
    if (!isShown(file)) continue;
    const facts = [`size: ${formatSize(file.sizeBytes)}, repo ${formatSize(file.repoSizeBytes)}`];
    if (file.reference !== undefined) facts.push(`reference: ${file.reference}`);
    if (file.bundleId !== undefined) facts.push(`bundle: ${file.bundleId}, offset ${file.bundleOffset ?? 0}`);
    if (file.blockMapBytes !== undefined) {
      facts.push(
        `block: size ${formatSize(file.blockSizeBytes!)}, map size ${formatSize(file.blockMapBytes)}, ` +
          `checksum size ${file.blockChecksumBytes}B`,
      );
    }
    yield `  - ${file.name}\n${facts.map((fact) => `      ${fact}\n`).join("")}`;
  }
}

/** One JSON object in pieces: `backup`, and `list` in the order of the manifest. */
export function* renderManifestJson(manifest: Manifest, isShown: FileChoice): Generator<string> {
  const head = renderAnswer({
    ...(manifest.archiveStart === undefined
      ? {}
      : { archive: { start: manifest.archiveStart, stop: manifest.archiveStop ?? null } }),
    block: manifest.blockIncremental,
    bundle: manifest.bundle,
    "compress-type": manifest.options.compressType,
    label: manifest.label,
    prior: manifest.prior ?? null,
    reference: otherReferences(manifest),
    timestamp: { start: manifest.timestampStart, stop: manifest.timestampStop },
    type: manifest.type,
  });
  yield `{"backup":${head},"list":[`;
  let first = true;
  for (const file of manifest.files) {
    if (!isShown(file)) continue;
    yield `${first ? "" : ","}${renderFile(file)}`;
    first = false;
  }
  yield "]}\n";
}

function renderFile(file: ManifestFile): string {
  return renderAnswer({
    ...(file.blockMapBytes === undefined ? {} : {
      block: {
        "checksum-size": file.blockChecksumBytes!,
        "map-size": file.blockMapBytes,
        size: file.blockSizeBytes!,
      },
    }),
    ...(file.bundleId === undefined ? {} : { bundle: { id: file.bundleId, offset: file.bundleOffset ?? 0 } }),
    ...(file.checksum === undefined ? {} : { checksum: file.checksum }),
    name: file.name,
    ...(file.reference === undefined ? {} : { reference: file.reference }),
    repo: {
      ...(file.repoChecksum === undefined ? {} : { checksum: file.repoChecksum }),
      size: file.repoSizeBytes,
    },
    size: file.sizeBytes,
    timestamp: file.timestamp,
  });
}

/** Backups whose files this one needs; older manifests do not list them. */
function otherReferences(manifest: Manifest): string[] {
  const listed = manifest.references ??
    manifest.files.values().flatMap(({ reference }) => (reference === undefined ? [] : [reference]));
  return [...new Set(listed)].filter((label) => label !== manifest.label).sort();
}
