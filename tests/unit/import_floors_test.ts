/**
 * Holds the imports of the product to its floors (an import may point to the same room or to a lower floor, never up or across), and calls
 * to their places.
 */
import { assert, assertEquals } from "../support/assert.ts";

/** Floor of each room; rooms on one floor do not import each other. */
const FLOORS: ReadonlyArray<readonly [room: string, floor: number]> = [
  ["src/errors.ts", 0],
  ["src/version.ts", 0],
  ["src/format", 1],
  ["src/postgres", 1],
  ["src/stream", 1],
  ["src/process", 1],
  ["src/report", 1],
  ["backends", 2],
  ["src/repository", 3],
  ["src/archive", 4],
  ["src/backup", 4],
  ["src/restore", 4],
  ["src/verify", 4],
  ["src/drill", 5],
  ["src/commands", 6],
  ["src/cli", 7],
  ["src/worker.ts", 7],
  ["src/main.ts", 8],
];

/** The rooms of floor 1 that may see each other: plain values and interfaces that the whole floor speaks in. */
const SHARED_ON_FLOOR_ONE = new Set([
  "src/process -> src/report",
  "src/postgres -> src/process",
  "src/format -> src/stream",
  "src/postgres -> src/format",
  "src/postgres -> src/stream",
]);

interface Import {
  readonly from: string;
  readonly to: string;
}

async function* sourceFiles(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

function importsOf(file: string, text: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"'`]*?from\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|import\s*["']([^"']+)["']/g;
  const found: Import[] = [];
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (specifier?.startsWith(".")) {
      found.push({ from: file, to: new URL(specifier, `file:///${file}`).pathname.slice(1) });
    }
  }
  return found;
}

function roomOf(file: string): readonly [room: string, floor: number] {
  const room = FLOORS.find(([name]) => file === name || file.startsWith(`${name}/`));
  if (room === undefined) throw new Error(`${file} stands in no room: add its room to FLOORS`);
  return room;
}

function violation(edge: Import): string | undefined {
  const [fromRoom, fromFloor] = roomOf(edge.from);
  const [toRoom, toFloor] = roomOf(edge.to);
  if (fromRoom === toRoom || toFloor < fromFloor) return undefined;
  if (SHARED_ON_FLOOR_ONE.has(`${fromRoom} -> ${toRoom}`)) return undefined;
  return `${edge.from} (floor ${fromFloor}) imports ${edge.to} (floor ${toFloor})`;
}

Deno.test("imports point down the floors", async () => {
  const edges: Import[] = [];
  for (const top of ["src", "backends"]) {
    for await (const file of sourceFiles(top)) edges.push(...importsOf(file, await Deno.readTextFile(file)));
  }
  assert(edges.length > 20, "the scan found hardly any import: its pattern no longer fits the code");
  assertEquals(edges.map(violation).filter((line) => line !== undefined), []);
});

Deno.test("only cli and the entry points read the command line and the environment", async () => {
  const offenders: string[] = [];
  for (const top of ["src", "backends"]) {
    for await (const file of sourceFiles(top)) {
      // The place that starts and ends the program deletes a mark of its own; it reads nothing.
      if (file.startsWith("src/cli/") || file === "src/main.ts" || file === "src/process/self.ts") continue;
      if (/\bDeno\.(args|env)\b|\bprocess\.(argv|env)\b/.test(await Deno.readTextFile(file))) offenders.push(file);
    }
  }
  assertEquals(offenders, []);
});

/** The runtime's synchronous list, which takes what the kernel cannot read for absent. */
const SYNCHRONOUS_LIST = /\breaddirSync\b|\breadDirSync\b/;
/** Where that only leaves an authority untrusted. */
const MAY_LIST_SYNCHRONOUSLY = ["backends/http_agents.ts"];

Deno.test("directories are listed by a call that fails where the kernel does", async () => {
  const users: string[] = [];
  for (const top of ["src", "backends"]) {
    for await (const file of sourceFiles(top)) {
      if (SYNCHRONOUS_LIST.test(await Deno.readTextFile(file))) users.push(file);
    }
  }
  assertEquals(users, MAY_LIST_SYNCHRONOUSLY);
});

Deno.test("the floor check would find an upward import", () => {
  assertEquals(
    violation({ from: "src/format/manifest.ts", to: "src/repository/repository.ts" }),
    "src/format/manifest.ts (floor 1) imports src/repository/repository.ts (floor 3)",
  );
  assertEquals(violation({ from: "src/archive/push.ts", to: "src/backup/copier.ts" }) !== undefined, true);
  assertEquals(importsOf("src/a/b.ts", 'import type { X } from "../errors.ts";\nconst y = await import("./c.ts");'), [
    { from: "src/a/b.ts", to: "src/errors.ts" },
    { from: "src/a/b.ts", to: "src/a/c.ts" },
  ]);
});
