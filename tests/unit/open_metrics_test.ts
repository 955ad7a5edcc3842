/** The text that monitoring reads, byte for byte. */
import { listenAddress } from "../../src/cli/typed_options.ts";
import { renderOpenMetrics } from "../../src/report/open_metrics.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { readMetrics } from "../support/open_metrics.ts";

Deno.test("metrics: unit lines, escapes in labels and help, families without samples left out", () => {
  const text = renderOpenMetrics([
    {
      name: "a_seconds",
      help: 'time of "it"\\\n',
      samples: [{ labels: { stanza: 'a"b\\c\nd', repo: 1 }, value: 1.5 }],
    },
    { name: "b", help: "none", samples: [] },
    { name: "c", help: "plain", samples: [{ labels: {}, value: 2 ** 53 }, { labels: { x: "" }, value: 0 }] },
  ]);
  assertEquals(
    text,
    '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds time of \\"it\\"\\\\\\n\n' +
      'a_seconds{stanza="a\\"b\\\\c\\nd",repo="1"} 1.5\n# TYPE c gauge\n# HELP c plain\nc 9007199254740992\nc{x=""} 0\n# EOF\n',
  );
  assertEquals(readMetrics(text).size, 3);
});

Deno.test("metrics of nothing are an end only", () => {
  assertEquals(renderOpenMetrics([]), "# EOF\n");
});

for (
  const [text, hostname, port] of [
    ["127.0.0.1:9854", "127.0.0.1", 9854],
    ["[::1]:80", "::1", 80],
    [":9854", "0.0.0.0", 9854],
    ["9854", "0.0.0.0", 9854],
    ["db1.example.com:1", "db1.example.com", 1],
  ] as const
) {
  Deno.test(`listen=${text}`, () => assertEquals(listenAddress(text), { hostname, port }));
}

for (const text of ["", "localhost", "::1:80", "a:b", "1.2.3.4:70000", "http://a:80"]) {
  Deno.test(`listen='${text}' is refused`, () => assertThrows(() => listenAddress(text)));
}
