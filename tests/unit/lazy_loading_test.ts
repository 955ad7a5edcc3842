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
    assertEquals(foreign(loaded), []);
    for (const file of loaded) {
      assert(
        !/worker_pool|postgres\/connection|progress_bar|zlib_codecs|lz4_codec|bz2_codec|backends\/posix/.test(file),
        `${command} loads ${file}`,
      );
    }
  });
}

/** The first of node's modules brings half of its library: 35 ms of processor time and 8 MB, in every thread. */
for (
  const job of ["backup/copy_job", "restore/write_job", "verify/object_job", "archive/push_job", "archive/get_job"]
) {
  Deno.test(`a worker of ${job} loads no built-in module and no package for a store on disk`, async () => {
    const ways = ["posix", "stream/system_zstd", "stream/system_lz4", "stream/system_cbc", "stream/file_sink"];
    const files = ways.map((name) => name === "posix" ? `backends/${name}.ts` : `src/${name}.ts`);
    assertEquals(foreign(await loadedBy("src/worker.ts", `src/${job}.ts`, ...files)), []);
  });
}

for (const command of ["verify", "restore", "repo_ls", "repo_get", "manifest"]) {
  Deno.test(`${command} loads no built-in module`, async () => {
    const loaded = await loadedBy("src/main.ts", `src/commands/${command}.ts`, "backends/posix.ts");
    assertEquals(foreign(loaded), []);
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
