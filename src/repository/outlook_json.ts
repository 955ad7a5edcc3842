/** What pgBackRest's JSON has no place for: the one key of our own that a stanza has, with everything in it. */
import type { JsonObject } from "../format/json.ts";
import type { RepositoryInfo, StanzaInfo } from "./info_data.ts";
import { PIN } from "./keep.ts";

/** Nothing when there is nothing to tell. */
export function ownKey({ archive: { debts, outages, holes }, repositories }: StanzaInfo): JsonObject {
  const outlooks = repositories.map(outlookLists);
  const of = (name: keyof (typeof outlooks)[number]) => outlooks.flatMap((lists) => lists[name]);
  const own = {
    debt: debts.map(({ key, count, sizeBytes, oldestMs }) => ({
      count,
      "repo-key": key,
      since: Number.isFinite(oldestMs) ? seconds(oldestMs) : null,
      size: sizeBytes,
    })),
    gap: of("gap"),
    hole: holes.map(({ count, first, last }) => ({ count, max: last, min: first })),
    outage: outages.map(({ key, outage }) => ({
      failures: outage.failures,
      "next-try": seconds(outage.nextTryMs),
      reason: outage.reason,
      "repo-key": key,
      since: seconds(outage.sinceMs),
    })),
    lost: of("lost"),
    pin: of("pin"),
    recoverable: of("recoverable"),
    unknown: of("unknown"),
    verified: of("verified"),
  };
  return Object.values(own).every((list) => list.length === 0) ? {} : { walferry: own };
}

function outlookLists({ key, outlook, backups }: RepositoryInfo): Record<
  "gap" | "lost" | "pin" | "recoverable" | "unknown" | "verified",
  JsonObject[]
> {
  const repository = { "repo-key": key };
  if (outlook === undefined) return { gap: [], lost: [], pin: [], recoverable: [], unknown: [], verified: [] };
  const { wal = [], verified, unknown } = outlook;
  return {
    gap: wal.flatMap(({ archiveId, gaps }) =>
      gaps.map(({ first, last, count, sizeBytes, reason, label }) => ({
        ...repository,
        backup: label ?? null,
        count,
        id: archiveId,
        max: last,
        min: first,
        reason,
        size: sizeBytes,
      }))
    ),
    lost: backups.filter(({ isLost = false }) => isLost).map(({ entry: { label } }) => ({ ...repository, label })),
    pin: backups.flatMap(({ entry: { label, annotations } }) => {
      const reason = annotations?.get(PIN);
      return reason === undefined ? [] : [{ ...repository, label, reason }];
    }),
    recoverable: wal.flatMap(({ archiveId, ranges }) =>
      ranges.map(({ timeline, label, fromMs, toMs, first, last }) => ({
        ...repository,
        backup: label,
        id: archiveId,
        max: last,
        min: first,
        timeline,
        timestamp: { start: seconds(fromMs), stop: seconds(toMs) },
      }))
    ),
    unknown: [
      ...unknown,
      ...wal.flatMap(({ badHistories }) => badHistories.map((name) => `timeline history ${name} cannot be used`)),
    ].map((reason) => ({ ...repository, reason })),
    verified: verified.map(({ mode, time, durationSeconds, damages, repaired }) => ({
      ...repository,
      damage: damages,
      duration: durationSeconds,
      mode,
      repaired,
      time,
    })),
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
