/** The time zone that times are told in is the one of the host's other programs, or it is said that it is not. */
import { engineTimeZone } from "../../src/process/time_zone.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/** Standard output of the program with this `TZ`. */
function run(timeZone: string, ...args: string[]): string {
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", MAIN, "--no-config", "--allow-root", ...args],
    env: { TZ: timeZone, NO_COLOR: "1" },
  }).outputSync();
  return new TextDecoder().decode(stdout);
}

/** How many hours the times of the log are before or behind UTC. */
function offsetHours(log: string): number {
  const [, date, time] = /^(\S+) (\S+) P00 +INFO: stop command begin/m.exec(log)!;
  // No minus in front of nothing.
  return Math.round((Date.parse(`${date}T${time}Z`) - Date.now()) / 900_000) / 4 + 0;
}

Deno.test("offsets in brackets and paths of zone files mean to the engine what they mean to the C library", () => {
  const zones: Record<string, string> = {
    "<+03>-3": "UTC-3",
    "<-04>4": "UTC4",
    ":/usr/share/zoneinfo/Europe/Berlin": "Europe/Berlin",
    "/usr/share/zoneinfo/posix/Asia/Kolkata": "posix/Asia/Kolkata",
    ":/etc/localtime": "",
    ":Europe/Berlin": "Europe/Berlin",
    "Europe/Berlin": "Europe/Berlin",
    "EST5EDT": "EST5EDT",
    // There is no name for these: it is told.
    "<+0530>-5:30": "<+0530>-5:30",
    "EST5EDT4,M3.2.0,M11.1.0": "EST5EDT4,M3.2.0,M11.1.0",
  };
  assertEquals(Object.fromEntries(Object.keys(zones).map((zone) => [zone, engineTimeZone(zone)])), zones);
});

Deno.test("times are told in the zone of TZ; one that is not understood is a warning, but not in an answer for programs", () => {
  using place = temporaryDirectory();
  const stop = ["--log-level-console=info", `--lock-path=${place.path}`, "--stanza=x", "stop"];
  for (const [zone, hours] of [["<+03>-3", 3], ["/usr/share/zoneinfo/Asia/Kolkata", 5.5], ["UTC", 0]] as const) {
    const log = run(zone, ...stop);
    assertEquals(offsetHours(log), hours, log);
    assert(!log.includes("time zone"), log);
  }
  const strange = "EST5EDT4,M3.2.0,M11.1.0";
  assertIncludes(run(strange, ...stop), `WARN: the time zone TZ='${strange}' is not understood`);
  const info = ["--repo1-path=/nonexistent", `--lock-path=${place.path}`, "--output=json", "info"];
  assertEquals(JSON.parse(run(strange, ...info)), []);
});
