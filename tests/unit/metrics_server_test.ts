/** What `metrics --listen` answers, by the age of what it knows and by how long the repositories take. */
import { serveMetrics } from "../../src/commands/metrics_server.ts";
import type { Clock } from "../../src/process/clock.ts";
import { assertEquals } from "../support/assert.ts";
import { freePorts, untilListening } from "../support/free_port.ts";
import { readMetrics } from "../support/open_metrics.ts";
import { fullBackup, OutlookStanza } from "../support/outlook_stanza.ts";
import { hurryingClock, STANZA, testContext } from "../support/stanza_files.ts";

/** Waiting ends only by what was waited for. */
function patientClock(): Clock {
  return {
    ...hurryingClock(),
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
  };
}

async function backupsTold(clock: Clock, maxAgeMs: number): Promise<Array<number | undefined>> {
  using stanza = new OutlookStanza();
  const first = fullBackup("20261118-080000F", 5, 6);
  await stanza.make([first]);
  const port = freePorts(1);
  const ended = new AbortController();
  const info = {
    stanza: STANZA,
    repositories: [stanza.config],
    output: "text" as const,
    detailLevel: "full" as const,
    lockPath: `${stanza.path}/lock`,
    spoolPath: stanza.spoolPath,
  };
  const listen = { hostname: "127.0.0.1", port };
  const served = serveMetrics({ scopes: [{ info }], listen, maxAgeMs }, testContext(clock, ended.signal));
  try {
    await untilListening(port);
    const told = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      return readMetrics(await answer.text()).get(`walferry_backups{stanza="${STANZA}",repo="1",type="full"}`);
    };
    const before = await told();
    await stanza.make([first, fullBackup("20261118-090000F", 7, 8)]);
    return [before, await told()];
  } finally {
    ended.abort();
    await served;
  }
}

Deno.test("what is older than metrics-max-age is read anew, and the answer is what was read", async () => {
  assertEquals(await backupsTold(patientClock(), 0), [1, 2]);
});

Deno.test("what is young is told as it is", async () => {
  assertEquals(await backupsTold(patientClock(), 3_600_000), [1, 1]);
});
