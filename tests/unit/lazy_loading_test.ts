/** What a short command loads: the modules that are reached by static imports from the entry and from the command's own file. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";

/** Specifiers of a file's static imports of values; `import type` loads nothing. */
function staticImports(text: string): string[] {
  const pattern = /(?:^|\n)(?:import|export)\s+(?!type\b)(?:[^;"'()=]*?\bfrom\s*)?["']([^"']+)["']/g;
  return [...text.matchAll(pattern)].map((match) => match[1]!);
}

/** Everything loaded for these files: paths of the product, and names of packages and built-in modules. */
async function loadedBy(...entries: string[]): Promise<Set<string>> {
  const loaded = new Set<string>();
  const queue = [...entries];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    for (const specifier of staticImports(await Deno.readTextFile(file))) {
      if (specifier.startsWith(".")) queue.push(new URL(specifier, `file:///${file}`).pathname.slice(1));
      else loaded.add(specifier);
    }
  }
  return loaded;
}

const foreign = (loaded: Set<string>) =>
  [...loaded].filter((name) => !name.startsWith("src/") && !name.startsWith("backends/")).sort();

Deno.test("the way to `version` loads no built-in module and no package", async () => {
  assertEquals(foreign(await loadedBy("src/main.ts", "src/commands/version.ts")), []);
});

for (const command of ["archive_push", "archive_get", "info", "expire", "start", "stop"]) {
  Deno.test(`${command} loads no PostgreSQL client, no worker and no progress display`, async () => {
    const loaded = await loadedBy("src/main.ts", `src/commands/${command}.ts`);
    assertEquals(foreign(loaded).filter((name) => name !== "node:crypto"), []);
    for (const file of loaded) {
      assert(
        !/worker_pool|postgres\/connection|progress_bar|zlib_codecs|lz4_codec|bz2_codec|backends\/posix/.test(file),
        `${command} loads ${file}`,
      );
    }
  });
}

Deno.test("the scan of imports finds what it looks for", async () => {
  assertIncludes([...await loadedBy("src/commands/backup.ts")].join(" "), "worker_pool.ts");
  assertEquals(
    staticImports(
      'import type { A } from "a";\nimport { b } from "b";\nimport "c";\nexport * from "d";\nconst e = await import("e");',
    ),
    ["b", "c", "d"],
  );
});

Deno.test("each store loads its own library and no other", async () => {
  const libraries = /^(@aws-sdk|@azure|@google-cloud|ssh2)/;
  const libraryOf = async (file: string) =>
    [...await loadedBy(file)].filter((name) => libraries.test(name)).map((name) => name.split("/")[0]).sort();
  assertEquals(await libraryOf("backends/open.ts"), []);
  assertEquals(await libraryOf("backends/posix.ts"), []);
  assertEquals([...new Set(await libraryOf("backends/s3.ts"))], ["@aws-sdk"]);
  assertEquals([...new Set(await libraryOf("backends/azure.ts"))], ["@azure"]);
  assertEquals(await libraryOf("backends/gcs.ts"), []);
  // Loaded only when a connection is made by it.
  assertEquals(await libraryOf("backends/sftp.ts"), []);
});
