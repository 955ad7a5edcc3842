/** The moment that a recovery goes to: which texts are understood, in which time zone, and which are refused. */
import type { WalferryError } from "../../src/errors.ts";
import { parseTargetTime } from "../../src/restore/target_time.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

const PARSER = new URL("../../src/restore/target_time.ts", import.meta.url);

/** What noon in July is in a process with this time zone: as a moment, or the kind of the error. */
function noonIn(timeZone: string): string {
  const script = `import { parseTargetTime } from ${JSON.stringify(PARSER)};
    try {
      const seconds = parseTargetTime("2026-07-01 12:00:00", Deno.env.get("TZ"));
      console.log(new Date(seconds * 1000).toISOString().slice(11, 16));
    } catch (error) { console.log(error.kind); }`;
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-check", script],
    env: { TZ: timeZone, NO_COLOR: "1" },
  }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("a time without an offset is local time where the engine knows the zone, and refused where it does not", () => {
  const zones: Record<string, string> = {
    "": "12:00",
    UTC: "12:00",
    GMT0: "12:00",
    "Europe/Berlin": "10:00",
    ":Europe/Berlin": "10:00",
    "posix/Asia/Kolkata": "06:30",
    EST5EDT: "16:00",
    EST5: "17:00",
    "UTC-3": "09:00",
    "Etc/GMT-5": "07:00",
    "CET-1CEST,M3.5.0,M10.5.0/3": "Format",
    "CET-1CEST": "Format",
    "<+03>-3": "Format",
    "+03:00": "Format",
    "IST-5:30": "Format",
    "/usr/share/zoneinfo/Europe/Berlin": "Format",
    "Nonsense/Foo": "Format",
    "asia/kolkata": "Format",
  };
  assertEquals(Object.fromEntries(Object.keys(zones).map((zone) => [zone, noonIn(zone)])), zones);
});

Deno.test("an offset of its own makes a time independent of the zone, which the refusal says", async () => {
  const zone = "CET-1CEST,M3.5.0,M10.5.0/3";
  for (const text of ["2026-07-01 12:00:00+02", "2026-07-01 12:00:00 +0200", "2026-07-01T10:00:00Z"]) {
    assertEquals(new Date(parseTargetTime(text, zone) * 1000).toISOString(), "2026-07-01T10:00:00.000Z");
  }
  const error = await assertThrows<WalferryError>(() => parseTargetTime("2026-07-01 12:00:00", zone));
  assertIncludes(error.text, "TZ='CET-1CEST,M3.5.0,M10.5.0/3' is not understood");
  assertIncludes(error.text, "such as '2026-07-01 12:00:00+01'");
});

Deno.test("an offset that no place on earth has is refused", async () => {
  for (const offset of ["+99", "-16:00", "+01:60"]) {
    const error = await assertThrows<WalferryError>(() => parseTargetTime(`2026-07-01 12:00:00${offset}`, undefined));
    assertEquals(error.kind, "Format");
  }
});

Deno.test("fractions of any length are cut, a second 60 is refused", async () => {
  for (const fraction of ["", ".5", ".123456789", ",1234567"]) {
    assertEquals(
      parseTargetTime(`2026-07-01 12:00:59${fraction}+00`, undefined),
      Date.UTC(2026, 6, 1, 12, 0, 59) / 1000,
    );
  }
  for (const text of ["2026-07-01 12:00:60+00", "2026-07-01 12:00:60", "2026-07-01 12:00:59.+00"]) {
    assertEquals((await assertThrows<WalferryError>(() => parseTargetTime(text, undefined))).kind, "Format");
  }
});
