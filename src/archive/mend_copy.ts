/** Replacing a damaged stored segment by a good copy of another repository, found while a segment was delivered. */
import { toWalferryError } from "../errors.ts";
import { copySegment, type WalPlace } from "../repository/copy_wal.ts";
import { describeFailure } from "../repository/repository_set.ts";
import type { Candidate } from "./get_candidates.ts";

/** Never fails: the segment is delivered already, and what could not be mended is told. */
export async function mendCopy(
  damaged: Candidate,
  good: Candidate,
  stanza: string,
  { signal, warn }: { readonly signal: AbortSignal; readonly warn: (message: string) => void },
): Promise<void> {
  if (damaged.segment === undefined || good.segment === undefined || damaged.repository === good.repository) return;
  const placeOf = ({ repository, archiveId, passphrase }: Candidate): WalPlace => ({
    repository,
    stanza,
    archiveId,
    passphrase,
  });
  try {
    await copySegment(placeOf(good), good.segment, placeOf(damaged), signal);
    // Stored with another compression, the good copy has another name.
    if (damaged.segment.name !== good.segment.name) await damaged.repository.storage.remove(damaged.path);
    warn(
      `${damaged.repository.name}: the damaged copy of ${damaged.segment.walName} was replaced by that of ${good.repository.name}`,
    );
  } catch (error) {
    warn(
      `the damaged copy of ${damaged.segment.walName} could not be replaced: ${
        describeFailure({ key: damaged.repository.key, error: toWalferryError(error) })
      }`,
    );
  }
}
