/** A strict reader of the OpenMetrics text, as far as this program writes it. */
import { assert, assertEquals } from "./assert.ts";

/** Value by `name{label="value",...}` as it is written. @throws when the text breaks a rule of the format */
export function readMetrics(text: string): Map<string, number> {
  assert(text.endsWith("\n# EOF\n"), "the end is not '# EOF'");
  const samples = new Map<string, number>();
  const families = new Set<string>();
  let family = "";
  let expected: "UNIT or HELP" | "HELP" | "samples" = "samples";
  for (const line of text.slice(0, -"# EOF\n".length).trimEnd().split("\n")) {
    const meta = /^# (TYPE|UNIT|HELP) ([a-z_][a-z0-9_]*) (.+)$/.exec(line);
    if (meta !== null) {
      const [, kind, name, rest] = meta as unknown as [string, string, string, string];
      if (kind === "TYPE") {
        assert(!families.has(name), `family ${name} stands twice`);
        families.add(name);
        assertEquals(rest, "gauge", line);
        family = name;
        expected = "UNIT or HELP";
      } else {
        assertEquals(name, family, line);
        assert(expected !== "samples" && (kind === "HELP" || expected === "UNIT or HELP"), line);
        if (kind === "UNIT") assert(name.endsWith(`_${rest}`), line);
        expected = kind === "UNIT" ? "HELP" : "samples";
      }
      continue;
    }
    assertEquals(expected, "samples", line);
    const sample = /^([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?\d[\d.e+-]*|\+Inf)$/.exec(
      line,
    );
    assert(sample !== null, `no sample: ${line}`);
    assertEquals(sample[1], family, line);
    const key = `${sample[1]}${sample[2] ?? ""}`;
    assert(!samples.has(key), `${key} stands twice`);
    samples.set(key, Number(sample[3]));
  }
  return samples;
}
