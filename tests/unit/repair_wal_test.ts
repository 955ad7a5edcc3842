/** WAL that only another repository tells of: what a repair brings, and what it leaves because expire removed it on purpose. */
import { Repository } from "../../src/repository/repository.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { RepairPlace } from "../../src/verify/repair_place.ts";
import { bringWal } from "../../src/verify/repair_wal.ts";
import { assertEquals } from "../support/assert.ts";
import { fullBackup, OutlookStanza, segmentAt } from "../support/outlook_stanza.ts";
import { hurryingClock, STANZA, testContext } from "../support/stanza_files.ts";

const BACKUPS = [
  fullBackup("20261118-080000F", 5, 6),
  fullBackup("20261118-090000F", 10, 11),
  fullBackup("20261118-100000F", 15, 16),
];

/** Places of timeline 1 that a repository without any WAL gets from one that has 1 to 18. */
async function brought(retention: { full?: number; archive?: number }, backups = BACKUPS): Promise<number[]> {
  using giving = new OutlookStanza();
  using getting = new OutlookStanza();
  await giving.make(BACKUPS);
  await getting.make(backups);
  await using from = await Repository.open(giving.config);
  await using to = await Repository.open({
    ...getting.config,
    retention: { fullType: "count", archiveType: "full", keep: {}, ...retention },
  });
  for (let place = 1; place <= 18; place++) {
    const content = new TextEncoder().encode(`content of ${place}`);
    const name = segmentAt(1, place);
    await from.storage.write(
      from.archivePath(STANZA, "15-1", name.slice(0, 16), `${name}-${sha1Hex(content)}`),
      content,
    );
  }
  const context = testContext(hurryingClock());
  const given = await bringWal(
    new RepairPlace({ repository: to, others: [from], stanza: STANZA, context, atOnce: 1 }),
  );
  assertEquals(context.log.lines, []);
  return given.flatMap(({ segments }) => segments.map((name) => parseInt(name.slice(16), 16)));
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

Deno.test("a repair brings what the retention keeps: everything from the first backup on, or only what makes the older ones consistent", async () => {
  assertEquals(await brought({}), range(5, 18));
  assertEquals(await brought({ full: 3 }), range(5, 18));
  assertEquals(await brought({ full: 3, archive: 2 }), [...range(5, 6), ...range(10, 18)]);
  assertEquals(await brought({ full: 3, archive: 1 }), [...range(5, 6), ...range(10, 11), ...range(15, 18)]);
});

Deno.test("a repair brings no WAL of a cluster of which there is no backup", async () => {
  assertEquals(await brought({}, []), []);
  assertEquals(await brought({}, BACKUPS.map((entry) => ({ ...entry, archiveStart: undefined }))), []);
});
