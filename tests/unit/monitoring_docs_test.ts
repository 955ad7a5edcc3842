/** The examples for monitoring speak of metrics that there are, and the list of metrics is whole. */
import { assert, assertEquals } from "../support/assert.ts";

/** Names as the source declares them. */
async function declared(): Promise<Set<string>> {
  const text = await Deno.readTextFile("src/repository/metrics.ts");
  return new Set([...text.matchAll(/name: "(walferry_[a-z_]+)"/g)].map((match) => match[1]!));
}

function named(text: string): Set<string> {
  return new Set([...text.matchAll(/\bwalferry_[a-z_]+\b/g)].map((match) => match[0]));
}

Deno.test("docs/monitoring/README.md lists every metric and no other", async () => {
  const names = await declared();
  assert(names.size > 20, "the pattern no longer fits the source");
  assertEquals([...named(await Deno.readTextFile("docs/monitoring/README.md"))].sort(), [...names].sort());
});

for (const file of ["alerts.yml", "dashboard.json"]) {
  Deno.test(`docs/monitoring/${file} uses metrics that exist`, async () => {
    const names = await declared();
    const used = named(await Deno.readTextFile(`docs/monitoring/${file}`));
    assert(used.size > 5);
    assertEquals([...used.difference(names)], []);
  });
}

Deno.test("the dashboard is JSON, and no two panels lie on each other", async () => {
  const { panels } = JSON.parse(await Deno.readTextFile("docs/monitoring/dashboard.json"));
  const cells = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert(column < 24 && !cells.has(`${column} ${row}`), title);
        cells.add(`${column} ${row}`);
      }
    }
  }
});
