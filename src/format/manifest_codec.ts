/**
 * Text of a `backup.manifest` to values and back (repository-format §5). Both directions go line by line; writing gives pieces, and
 * reading takes them, so that a manifest of a million files is never one string.
 */
import { WalferryError } from "../errors.ts";
import { historyId } from "./archive_info.ts";
import { FileTable, type UnownedFile } from "./file_table.ts";
import { InfoFileReader, type InfoLine, renderInfoFile, sortedByKey } from "./info_file.ts";
import { InfoValues } from "./info_values.ts";
import { compareBytes, type JsonValue, renderJson } from "./json.ts";
import { isBackupLabel } from "./label.ts";
import type {
  Manifest,
  ManifestDatabase,
  ManifestFile,
  ManifestLink,
  ManifestOptions,
  ManifestPath,
  ManifestTarget,
  OwnerName,
  PageRange,
} from "./manifest.ts";

/** SHA-1 of no bytes: what a reader supplies for empty files. */
export const SHA1_OF_NOTHING = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

const MANIFEST_NAME = /^pg_(?:data|tblspc)(?:\/(?!\.{0,2}(?:\/|$))[^/\0\n]+)*$/;

const SHA1_HEX = /^[0-9a-f]{40}$/;
/** A block size in a manifest counts pages of this many bytes (repository-format §5.3, `bi`). */
const BLOCK_UNIT_BYTES = 8192;
const BLOCK_CHECKSUM_DEFAULT = 6;

/**
 * True for a name that may stand in a manifest: `pg_data`, `pg_tblspc`, or something below one of them, with no segment that could lead
 * anywhere else.
 */
export function isManifestName(name: string): boolean {
  return MANIFEST_NAME.test(name);
}

/** @throws WalferryError `Format`, `JsonFormat` or `Checksum` */
export function parseManifest(text: string): Manifest {
  const reader = new ManifestReader();
  reader.push(text);
  return reader.end();
}

/** Reads a manifest whose text comes in pieces: {@link parseManifest} for one of a million files. */
export class ManifestReader {
  readonly #sections = new Map<string, InfoLine[]>();
  readonly #files = FileTable.empty();
  readonly #reader = new InfoFileReader((line) => this.#take(line), (section, line) => {
    if (section !== "target:file") return undefined;
    const file = parseUsualFile(line);
    if (file === undefined) return undefined;
    this.#files.add(file);
    return file.name.length;
  });

  /** Takes the next piece, which may end anywhere. @throws WalferryError as {@link parseManifest} */
  push(piece: string): void {
    this.#reader.push(piece);
  }

  /** There is no more. @throws WalferryError as {@link parseManifest} */
  end(): Manifest {
    return manifestOf(this.#reader.end(), this.#sections, this.#files);
  }

  #take(line: InfoLine): void {
    // Of these there may be millions: their lines are not kept.
    if (line.section === "target:file") return this.#files.add(parseFile(line));
    const list = this.#sections.get(line.section);
    if (list === undefined) this.#sections.set(line.section, [line]);
    else list.push(line);
  }
}

function manifestOf(
  backrestVersion: string,
  sections: ReadonlyMap<string, readonly InfoLine[]>,
  files: FileTable,
): Manifest {
  const section = (name: string): readonly InfoLine[] => sections.get(name) ?? [];
  const values = (name: string): InfoValues => InfoValues.ofSection(section(name), name);

  const backup = values("backup");
  const db = values("backup:db");
  const fileDefault = ownerDefaults(values("target:file:default"), 0o600);
  const pathDefault = ownerDefaults(values("target:path:default"), 0o700);
  const linkDefault = ownerDefaults(values("target:link:default"), 0o700);
  const type = backup.string("backup-type");
  if (type !== "full" && type !== "diff" && type !== "incr") {
    throw new WalferryError("Format", "backup-type must be full, diff or incr");
  }
  const references = backup.optionalString("backup-reference")?.split(",");
  const label = backup.string("backup-label");
  const prior = backup.optionalString("backup-prior");
  for (const text of [label, ...(references ?? []), ...(prior === undefined ? [] : [prior])]) {
    if (!isBackupLabel(text)) throw new WalferryError("Format", `'${text.slice(0, 60)}' is not a backup label`);
  }

  // Owners that are those of most are left out in the lines, and said behind all of them.
  files.settle(fileDefault);
  files.sort();
  const twice = files.duplicate();
  if (twice !== undefined) refuseDuplicate(twice);
  const manifest: Manifest = {
    backrestVersion,
    label,
    type,
    prior,
    references,
    timestampStart: backup.integer("backup-timestamp-start"),
    timestampCopyStart: backup.integer("backup-timestamp-copy-start"),
    timestampStop: backup.integer("backup-timestamp-stop"),
    lsnStart: backup.optionalString("backup-lsn-start"),
    lsnStop: backup.optionalString("backup-lsn-stop"),
    archiveStart: backup.optionalString("backup-archive-start"),
    archiveStop: backup.optionalString("backup-archive-stop"),
    timesOf: backup.optionalString("walferry-times-of"),
    bundle: backup.optionalBoolean("backup-bundle") ?? false,
    bundleRaw: backup.optionalBoolean("backup-bundle-raw") ?? false,
    blockIncremental: backup.optionalBoolean("backup-block-incr") ?? false,
    historyId: historyIdOrNone(db.integer("db-id")),
    pgVersion: db.string("db-version"),
    systemId: db.bigint("db-system-id"),
    catalogVersion: db.integer("db-catalog-version"),
    controlVersion: db.integer("db-control-version"),
    options: parseOptions(values("backup:option")),
    annotations: values("metadata").optionalStringMap("annotation") ?? new Map(),
    cipherPass: values("cipher").optionalString("cipher-pass"),
    targets: section("backup:target").map(parseTarget),
    databases: section("db").map(parseDatabase),
    files,
    links: section("target:link").map((line) => parseLink(line, linkDefault)),
    paths: section("target:path").map((line) => parsePath(line, pathDefault)),
    defaults: { file: fileDefault, path: pathDefault, link: { user: linkDefault.user, group: linkDefault.group } },
  };
  for (const list of [manifest.links, manifest.paths, manifest.targets] as Array<Array<{ name: string }>>) {
    list.sort((a, b) => compareBytes(a.name, b.name));
    const double = list.find(({ name }, index) => index > 0 && name === list[index - 1]!.name);
    if (double !== undefined) refuseDuplicate(double.name);
  }
  return manifest;
}

/** 0 in a manifest that the original has not finished: it names the cluster at the end. */
function historyIdOrNone(id: number): number {
  return id === 0 ? 0 : historyId(String(id));
}

function refuseDuplicate(name: string): never {
  throw new WalferryError("Format", `'${name}' stands twice in the manifest`);
}

function checkedName(line: InfoLine): string {
  if (!isManifestName(line.key)) {
    throw new WalferryError(
      "Format",
      `name at line ${line.line} of section '${line.section}' is not a path inside the cluster`,
      {
        hint: "the manifest is damaged or was tampered with: nothing is read from it",
      },
    );
  }
  return line.key;
}

interface OwnerDefaults {
  readonly mode: number;
  readonly user: OwnerName;
  readonly group: OwnerName;
}

function ownerDefaults(values: InfoValues, missingMode: number): OwnerDefaults {
  return {
    mode: values.raw("mode") === undefined ? missingMode : parseMode(values.string("mode")),
    user: parseOwner(values.raw("user")) ?? false,
    group: parseOwner(values.raw("group")) ?? false,
  };
}

function parseOwner(value: JsonValue | undefined): OwnerName | undefined {
  if (value === undefined || value === false || typeof value === "string") return value;
  throw new WalferryError("Format", value === true ? "owner bool must be false" : "owner must be a string or false");
}

function parseMode(text: string): number {
  if (!/^[0-7]{4}$/.test(text)) {
    throw new WalferryError("Format", `mode '${text.slice(0, 20)}' must be four octal digits`);
  }
  return parseInt(text, 8);
}

function renderMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function parseOptions(values: InfoValues): ManifestOptions {
  const compress = values.optionalBoolean("option-compress") ?? false;
  const compressType = values.optionalString("option-compress-type") ?? (compress ? "gz" : "none");
  if (!["none", "bz2", "gz", "lz4", "zst"].includes(compressType)) {
    throw new WalferryError("Format", `option-compress-type '${compressType.slice(0, 20)}' is not known`);
  }
  const level = values.raw("option-compress-level");
  return {
    archiveCheck: values.boolean("option-archive-check"),
    archiveCopy: values.boolean("option-archive-copy"),
    backupStandby: values.optionalBoolean("option-backup-standby"),
    bufferSizeBytes: values.optionalInteger("option-buffer-size"),
    checksumPage: values.optionalBoolean("option-checksum-page"),
    compressType: compressType as ManifestOptions["compressType"],
    // The only number here that may be negative (zst and lz4 have fast levels below 0).
    compressLevel: typeof level === "number" ? level : undefined,
    compressLevelNetwork: values.optionalInteger("option-compress-level-network"),
    delta: values.optionalBoolean("option-delta"),
    hardlink: values.boolean("option-hardlink"),
    online: values.boolean("option-online"),
    processMax: values.optionalInteger("option-process-max"),
  };
}

function parseTarget(line: InfoLine): ManifestTarget {
  const values = InfoValues.ofLine(line);
  const type = values.string("type");
  if (type !== "path" && type !== "link") {
    throw new WalferryError("Format", `type of target at line ${line.line} must be path or link`);
  }
  const file = values.optionalString("file");
  if (file !== undefined && (file === "" || file.includes("/") || file === "." || file === "..")) {
    throw new WalferryError("Format", `file of target at line ${line.line} is not a file name`);
  }
  const tablespaceId = values.optionalString("tablespace-id");
  if (tablespaceId !== undefined && !/^\d{1,10}$/.test(tablespaceId)) {
    throw new WalferryError("Format", `tablespace-id at line ${line.line} is not an oid`);
  }
  return {
    name: checkedName(line),
    type,
    path: values.string("path"),
    file,
    tablespaceId,
    tablespaceName: tablespaceId === undefined ? undefined : values.string("tablespace-name"),
  };
}

function parseDatabase(line: InfoLine): ManifestDatabase {
  const values = InfoValues.ofLine(line);
  return { name: line.key, oid: values.integer("db-id"), lastSystemOid: values.integer("db-last-system-id") };
}

function parseLink(line: InfoLine, defaults: OwnerDefaults): ManifestLink {
  const values = InfoValues.ofLine(line);
  return {
    name: checkedName(line),
    destination: values.string("destination"),
    user: parseOwner(values.raw("user")) ?? defaults.user,
    group: parseOwner(values.raw("group")) ?? defaults.group,
  };
}

function parsePath(line: InfoLine, defaults: OwnerDefaults): ManifestPath {
  const values = InfoValues.ofLine(line);
  const mode = values.optionalString("mode");
  return {
    name: checkedName(line),
    mode: mode === undefined ? defaults.mode : parseMode(mode),
    user: parseOwner(values.raw("user")) ?? defaults.user,
    group: parseOwner(values.raw("group")) ?? defaults.group,
  };
}

function parseFile(line: InfoLine): UnownedFile {
  const name = checkedName(line);
  const values = InfoValues.ofLine(line);
  const sizeBytes = values.optionalInteger("size");
  if (sizeBytes === undefined) throw new WalferryError("Format", `missing size for file '${name}'`);
  const timestamp = parseTimestamp(values.raw("timestamp"), name);
  const mode = values.optionalString("mode");
  const reference = values.optionalString("reference");
  if (reference !== undefined && !isBackupLabel(reference)) {
    throw new WalferryError("Format", `reference of file '${name}' is not a backup label`);
  }
  const blockUnits = values.optionalInteger("bi");
  const bundleId = values.optionalInteger("bni");
  return {
    name,
    sizeBytes,
    sizeOriginalBytes: values.optionalInteger("szo"),
    timestamp,
    checksum: sizeBytes === 0 ? undefined : checkedSha1(values.optionalString("checksum"), name),
    repoChecksum: checkedSha1(values.optionalString("rck"), name),
    repoSizeBytes: values.optionalInteger("repo-size") ?? sizeBytes,
    reference,
    bundleId,
    bundleOffset: bundleId === undefined ? undefined : values.optionalInteger("bno") ?? 0,
    blockSizeBytes: blockUnits === undefined ? undefined : blockUnits * BLOCK_UNIT_BYTES,
    blockChecksumBytes: blockUnits === undefined ? undefined : values.optionalInteger("bic") ?? BLOCK_CHECKSUM_DEFAULT,
    blockMapBytes: values.optionalInteger("bim"),
    checksumPage: values.optionalBoolean("checksum-page"),
    checksumPageErrors: parsePageErrors(values.raw("checksum-page-error"), name),
    mode: mode === undefined ? undefined : parseMode(mode),
    user: parseOwner(values.raw("user")),
    group: parseOwner(values.raw("group")),
  };
}

/** The original writes a time before 1970 as an unsigned number: 2^64 more than it is. */
function parseTimestamp(value: JsonValue | undefined, name: string): number {
  if (value === undefined) throw new WalferryError("Format", `missing timestamp for file '${name}'`);
  const seconds = typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : value;
  if (Number.isSafeInteger(seconds)) return seconds as number;
  throw new WalferryError("Format", `timestamp of file '${name}' must be a whole number`);
}

/** A line as both programs write nearly all of them: members in the format's order, nothing to unescape, no bad pages. */
const USUAL_FILE = new RegExp(
  "^([^=]+)=\\{" +
    '(?:"bi":(\\d{1,6}),)?(?:"bic":(\\d{1,2}),)?(?:"bim":(\\d{1,15}),)?(?:"bni":(\\d{1,15}),)?(?:"bno":(\\d{1,15}),)?' +
    '(?:"checksum":"([0-9a-f]{40})",)?(?:"checksum-page":(true|false),)?' +
    '(?:"group":(?:"([^"\\\\]*)"|(false)),)?(?:"mode":"([0-7]{4})",)?(?:"rck":"([0-9a-f]{40})",)?' +
    '(?:"reference":"([0-9DFI_-]+)",)?(?:"repo-size":(\\d{1,15}),)?"size":(\\d{1,15}),' +
    '(?:"szo":(\\d{1,15}),)?"timestamp":(-?\\d{1,15})(?:,"user":(?:"([^"\\\\]*)"|(false)))?\\}$',
);

/**
 * For a reader who wants nothing of a manifest's files but their part in its checksum: where the key of a file's line ends, when it is a line as
 * they usually are.
 */
export function usualFileKeyEnd(section: string, line: string): number | undefined {
  return section === "target:file" ? parseUsualFile(line)?.name.length : undefined;
}

/** What {@link parseFile} makes of a usual line; `undefined` for any other, and for one with an error. */
function parseUsualFile(line: string): UnownedFile | undefined {
  const found = USUAL_FILE.exec(line);
  if (found === null) return undefined;
  const [
    ,
    name,
    bi,
    bic,
    bim,
    bni,
    bno,
    checksum,
    pages,
    group,
    noGroup,
    mode,
    rck,
    reference,
    repoSize,
    size,
    szo,
    time,
    user,
    noUser,
  ] = found as unknown as (string | undefined)[];
  if (!isManifestName(name!) || (reference !== undefined && !isBackupLabel(reference))) return undefined;
  const sizeBytes = Number(size);
  const number = (text: string | undefined) => text === undefined ? undefined : Number(text);
  const isInBlocks = bi !== undefined;
  return {
    name: name!,
    sizeBytes,
    sizeOriginalBytes: number(szo),
    timestamp: Number(time),
    checksum: sizeBytes === 0 ? undefined : checksum,
    repoChecksum: rck,
    repoSizeBytes: number(repoSize) ?? sizeBytes,
    reference,
    bundleId: number(bni),
    bundleOffset: bni === undefined ? undefined : number(bno) ?? 0,
    blockSizeBytes: isInBlocks ? Number(bi) * BLOCK_UNIT_BYTES : undefined,
    blockChecksumBytes: isInBlocks ? number(bic) ?? BLOCK_CHECKSUM_DEFAULT : undefined,
    blockMapBytes: number(bim),
    checksumPage: pages === undefined ? undefined : pages === "true",
    checksumPageErrors: undefined,
    mode: mode === undefined ? undefined : parseInt(mode, 8),
    user: noUser === undefined ? user : false,
    group: noGroup === undefined ? group : false,
  };
}

function checkedSha1(text: string | undefined, name: string): string | undefined {
  if (text !== undefined && !SHA1_HEX.test(text)) {
    throw new WalferryError("Format", `checksum of file '${name}' is not a SHA-1`);
  }
  return text;
}

function parsePageErrors(value: JsonValue | undefined, name: string): PageRange[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new WalferryError("Format", `checksum-page-error of file '${name}' must be a list`);
  return value.map((item): PageRange => {
    const [first, last] = Array.isArray(item) ? item : [item, item];
    if (typeof first !== "number" || typeof last !== "number" || last < first) {
      throw new WalferryError("Format", `checksum-page-error of file '${name}' must hold page numbers`);
    }
    return [first, last];
  });
}

/** Text of a manifest in pieces. */
export function renderManifest(manifest: Manifest): Iterable<string> {
  const { defaults } = manifest;
  return renderInfoFile(manifest.backrestVersion, [
    ["backup", backupLines(manifest)],
    [
      "backup:db",
      lines([
        ["db-catalog-version", manifest.catalogVersion],
        ["db-control-version", manifest.controlVersion],
        ["db-id", manifest.historyId],
        ["db-system-id", manifest.systemId],
        ["db-version", manifest.pgVersion],
      ]),
    ],
    ["backup:option", optionLines(manifest.options)],
    ["backup:target", byName(manifest.targets, renderTarget)],
    ["cipher", lines([["cipher-pass", manifest.cipherPass]])],
    [
      "db",
      sortedByKey(
        manifest.databases.map((database) =>
          [database.name, renderJson({ "db-id": database.oid, "db-last-system-id": database.lastSystemOid })] as const
        ),
      ),
    ],
    [
      "metadata",
      lines([["annotation", manifest.annotations.size === 0 ? undefined : Object.fromEntries(manifest.annotations)]]),
    ],
    ["target:file", byName(manifest.files, (file) => renderFile(file, defaults.file))],
    [
      "target:file:default",
      lines([
        ["group", defaults.file.group],
        ["mode", renderMode(defaults.file.mode)],
        ["user", defaults.file.user],
      ]),
    ],
    [
      "target:link",
      byName(
        manifest.links,
        (link) => renderJson({ destination: link.destination, ...ownerMembers(link, defaults.link) }),
      ),
    ],
    [
      "target:link:default",
      manifest.links.length === 0 ? [] : lines([["group", defaults.link.group], ["user", defaults.link.user]]),
    ],
    [
      "target:path",
      byName(
        manifest.paths,
        (path) => renderJson({ ...ownerMembers(path, defaults.path), ...modeMember(path.mode, defaults.path.mode) }),
      ),
    ],
    [
      "target:path:default",
      lines([
        ["group", defaults.path.group],
        ["mode", renderMode(defaults.path.mode)],
        ["user", defaults.path.user],
      ]),
    ],
  ]);
}

/** Lines of a section; those whose value is `undefined` are left out. */
function lines(entries: ReadonlyArray<readonly [string, JsonValue | undefined]>): Array<readonly [string, string]> {
  return entries.filter(([, value]) => value !== undefined).map(([key, value]) => [key, renderJson(value)] as const);
}

function* byName<T extends { readonly name: string }>(
  entries: Iterable<T>,
  render: (entry: T) => string,
): Generator<readonly [string, string]> {
  for (const entry of entries) yield [entry.name, render(entry)];
}

function backupLines(manifest: Manifest): Array<readonly [string, string]> {
  return lines([
    ["backup-archive-start", manifest.archiveStart],
    ["backup-archive-stop", manifest.archiveStop],
    ["backup-block-incr", manifest.blockIncremental ? true : undefined],
    ["backup-bundle", manifest.bundle ? true : undefined],
    ["backup-bundle-raw", manifest.bundleRaw ? true : undefined],
    ["backup-label", manifest.label],
    ["backup-lsn-start", manifest.lsnStart],
    ["backup-lsn-stop", manifest.lsnStop],
    ["backup-prior", manifest.prior],
    ["backup-reference", manifest.references?.join(",")],
    ["backup-timestamp-copy-start", manifest.timestampCopyStart],
    ["backup-timestamp-start", manifest.timestampStart],
    ["backup-timestamp-stop", manifest.timestampStop],
    ["backup-type", manifest.type],
    ["walferry-times-of", manifest.timesOf],
  ]);
}

function optionLines(options: ManifestOptions): Array<readonly [string, string]> {
  return lines([
    ["option-archive-check", options.archiveCheck],
    ["option-archive-copy", options.archiveCopy],
    ["option-backup-standby", options.backupStandby],
    ["option-buffer-size", options.bufferSizeBytes],
    ["option-checksum-page", options.checksumPage],
    ["option-compress", options.compressType !== "none"],
    ["option-compress-level", options.compressLevel],
    ["option-compress-level-network", options.compressLevelNetwork],
    ["option-compress-type", options.compressType],
    ["option-delta", options.delta],
    ["option-hardlink", options.hardlink],
    ["option-online", options.online],
    ["option-process-max", options.processMax],
  ]);
}

function renderTarget(target: ManifestTarget): string {
  return renderJson({
    ...(target.file === undefined ? {} : { file: target.file }),
    path: target.path,
    ...(target.tablespaceId === undefined
      ? {}
      : { "tablespace-id": target.tablespaceId, "tablespace-name": target.tablespaceName! }),
    type: target.type,
  });
}

function ownerMembers(
  entry: { readonly user: OwnerName; readonly group: OwnerName },
  defaults: { readonly user: OwnerName; readonly group: OwnerName },
): Record<string, JsonValue> {
  return {
    ...(entry.group === defaults.group ? {} : { group: entry.group }),
    ...(entry.user === defaults.user ? {} : { user: entry.user }),
  };
}

function modeMember(mode: number, defaultMode: number): Record<string, JsonValue> {
  return mode === defaultMode ? {} : { mode: renderMode(mode) };
}

/** Written by hand in key order: this is the line of which there are millions. */
function renderFile(file: ManifestFile, defaults: Manifest["defaults"]["file"]): string {
  let text = "{";
  if (file.blockSizeBytes !== undefined) {
    text += `"bi":${file.blockSizeBytes / BLOCK_UNIT_BYTES},`;
    if (file.blockChecksumBytes !== BLOCK_CHECKSUM_DEFAULT) text += `"bic":${file.blockChecksumBytes},`;
    if (file.blockMapBytes !== undefined) text += `"bim":${file.blockMapBytes},`;
  }
  if (file.bundleId !== undefined) {
    text += `"bni":${file.bundleId},`;
    if (file.bundleOffset !== undefined && file.bundleOffset !== 0) text += `"bno":${file.bundleOffset},`;
  }
  if (file.checksum !== undefined && file.sizeBytes !== 0) text += `"checksum":"${file.checksum}",`;
  if (file.checksumPage !== undefined) text += `"checksum-page":${file.checksumPage},`;
  if (file.checksumPageErrors !== undefined) {
    const ranges = file.checksumPageErrors.map(([first, last]) => (first === last ? first : [first, last]));
    text += `"checksum-page-error":${renderJson(ranges)},`;
  }
  if (file.group !== defaults.group) text += `"group":${renderJson(file.group)},`;
  if (file.mode !== defaults.mode) text += `"mode":"${renderMode(file.mode)}",`;
  if (file.repoChecksum !== undefined) text += `"rck":"${file.repoChecksum}",`;
  if (file.reference !== undefined) text += `"reference":"${file.reference}",`;
  if (file.repoSizeBytes !== file.sizeBytes) text += `"repo-size":${file.repoSizeBytes},`;
  text += `"size":${file.sizeBytes},`;
  if (file.sizeOriginalBytes !== undefined) text += `"szo":${file.sizeOriginalBytes},`;
  text += `"timestamp":${file.timestamp}`;
  return file.user === defaults.user ? `${text}}` : `${text},"user":${renderJson(file.user)}}`;
}
