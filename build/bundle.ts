/**
 * From the sources to chunks: a few entry points and the parts they load when they need them, so that a short command reads and compiles
 * only its own way. One bundle per kind of executable; how each finds its chunks is in `elf_pack.ts` and `executable.ts`.
 */
import * as esbuild from "esbuild";
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";

/** A module of the bundle; names have no directory, and import each other as `./<name>`. */
export interface Chunk {
  readonly name: string;
  readonly text: string;
}

/** Executables that are made of a bundle: `howBuilt()` in src/process/self.ts. */
export type BundleKind = "deno compile" | "elf";

/** What the program consists of, relative to the project: the chunk `main.js` and the chunk `worker.js` come of them. */
export const ENTRY_POINTS: readonly string[] = ["src/main.ts", "src/worker.ts"];

/**
 * Gives chunks that ask for built-in modules by `require` such a function. `createRequire` would do it too, but costs the load of node:module.
 */
const REQUIRE_OF_BUILTINS = "const require=(name)=>{const found=process.getBuiltinModule(name);" +
  "if(found===undefined)throw Object.assign(new Error(`Cannot find module '${name}'`),{code:'MODULE_NOT_FOUND'});return found};";

/** Built-in modules get their `node:` prefix, which `deno compile` insists on; optional native add-ons stay out. */
const builtinsByPrefix: esbuild.Plugin = {
  name: "builtins-by-prefix",
  setup(build) {
    const builtins = new Set(builtinModules);
    build.onResolve(
      { filter: /^[a-z_/0-9]+$/ },
      ({ path }) => builtins.has(path) ? { path: `node:${path}`, external: true } : undefined,
    );
    build.onResolve({ filter: /(\.node|^cpu-features|^pg-native)$/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * Bundles the entry points of the project in `root`. The same sources give the same bytes in every directory.
 *
 * @throws the bundler's error, which it also prints
 */
export async function bundle(root: string, kind: BundleKind, entryPoints = ENTRY_POINTS): Promise<Chunk[]> {
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outbase: root,
    outdir: root,
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "esnext",
    mainFields: ["module", "main"],
    // Names stay: the stack in a report of an error is worth more than the bytes.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    define: {
      WALFERRY_BUILD: JSON.stringify(kind),
      __dirname: '"/"',
      __filename: '"/walferry"',
      // In a packed executable a chunk has no address of its own.
      ...(kind === "elf" ? { "import.meta.url": '"file:///walferry"' } : {}),
    },
    plugins: [builtinsByPrefix],
    logLevel: "warning",
    // A slip in a dependency of ssh2, harmless, and not ours to mend.
    logOverride: { "suspicious-boolean-not": "silent" },
  });
  const chunks = result.outputFiles.map(({ path, text }) => ({ name: path.slice(path.lastIndexOf("/") + 1), text }));
  return await Promise.all(chunks.map((chunk) => kind === "elf" ? asFunctionBody(chunk) : withRequire(chunk)));
}

function withRequire({ name, text }: Chunk): Chunk {
  return { name, text: text.includes("typeof require") ? REQUIRE_OF_BUILTINS + text : text };
}

/**
 * The chunk as the body of a function of `require`, `module` and `exports`: only modules with an address can import each other, and the
 * parts of one file have none (`elf_loader.ts` calls these functions). Imports stay live; `await` outside of functions is refused.
 */
async function asFunctionBody({ name, text }: Chunk): Promise<Chunk> {
  const { code } = await esbuild.transform(text, {
    format: "cjs",
    target: "esnext",
    supported: { "dynamic-import": false },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    sourcefile: name,
    logLevel: "warning",
    // A slip in a dependency of ssh2, harmless, and not ours to mend.
    logOverride: { "suspicious-boolean-not": "silent" },
  });
  return { name, text: code };
}

/** Ends the bundler's own process; call it when everything is bundled. */
export async function stopBundler(): Promise<void> {
  await esbuild.stop();
}

// `deno task bundle`: what the executable will consist of, to look at.
if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[/\\]$/, "");
  const directory = `${root}/dist/bundle`;
  await Deno.mkdir(directory, { recursive: true });
  for await (const { name } of Deno.readDir(directory)) await Deno.remove(`${directory}/${name}`);
  const chunks = await bundle(root, "deno compile");
  await stopBundler();
  for (const { name, text } of chunks.toSorted((a, b) => b.text.length - a.text.length)) {
    await Deno.writeTextFile(`${directory}/${name}`, text);
    console.log(`${String(text.length).padStart(8)}  ${directory}/${name}`);
  }
}
