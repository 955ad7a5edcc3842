/** One segment under two hashes: which of the two is right, only another repository can tell. */
import { archiveIdOf, archiveIdsOf, findSegments } from "../repository/wal_archive.ts";
import { compressTypeOfName } from "../stream/compress_type.ts";
import { judgeObject } from "./object_job.ts";
import type { RepairPlace } from "./repair_place.ts";

export interface SettledDuplicate {
  /** The repository that decided. */
  readonly from: string;
  /** Paths that were taken out, and are kept aside. */
  readonly removed: readonly string[];
}

/**
 * Takes out what the other repositories do not have, when one form is left that is sound.
 * @returns `undefined` when they do not tell
 * @throws WalferryError of the store
 */
export async function settleDuplicate(place: RepairPlace, path: string): Promise<SettledDuplicate | undefined> {
  const { repository, stanza, context: { signal } } = place;
  const [, , archiveId, , storedName] = path.split("/");
  if (storedName === undefined) return undefined;
  const name = storedName.slice(0, 24);
  const info = await repository.loadArchiveInfo(stanza, signal);
  const cluster = info.history.find((entry) => archiveIdOf(entry) === archiveId);
  if (cluster === undefined) return undefined;
  const here = await findSegments(repository, stanza, archiveId!, name, signal);
  return await place.askOthers(`what segment ${name} is`, async (other) => {
    if (other.config.role === "backup") return undefined;
    const theirs = await other.loadArchiveInfo(stanza, signal);
    const ids = archiveIdsOf(theirs, cluster.pgVersion, cluster.systemId);
    const there = (await Promise.all(ids.map((id) => findSegments(other, stanza, id, name, signal)))).flat();
    const checksums = new Set(there.map(({ checksum }) => checksum));
    const right = here.find(({ checksum }) => checksums.has(checksum));
    if (checksums.size !== 1 || right === undefined) return undefined;
    const form = {
      compressType: compressTypeOfName(right.path),
      framing: "normal",
      cipherPass: info.cipherPass,
    } as const;
    const segment = { name, systemId: cluster.systemId };
    const part = { offsetBytes: 0, form, checksum: right.checksum, segment };
    const [verdict] = await judgeObject({ path: right.path, parts: [part] }, repository.storage);
    if (verdict !== undefined) return undefined;
    const removed = here.filter(({ checksum }) => checksum !== right.checksum).map((one) => one.path);
    // Forms of a partial segment say nothing of the whole one.
    if (removed.length === 0) return undefined;
    for (const wrong of removed) {
      await place.keepAside(wrong);
      await repository.storage.remove(wrong);
    }
    return { from: other.name, removed };
  });
}
