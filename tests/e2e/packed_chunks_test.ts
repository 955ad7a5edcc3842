/** Programs made for the purpose, bundled and packed as walferry is: what chunks can rely on (build/bundle.ts, build/elf_loader.ts). */
import { bundle, type BundleKind, stopBundler } from "../../build/bundle.ts";
import { packElf } from "../../build/elf_pack.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { execute, TestFolder } from "../support/accounts.ts";

const END = `Deno.env.delete("_WALFERRY_RUNTIME_ENDS");`;

type Sources = Readonly<Record<string, string>>;

/** A program of several modules, of which `src/main.ts` and `src/worker.ts` are the entries. */
async function project(folder: TestFolder, name: string, sources: Sources): Promise<string> {
  const root = await folder.directory(name, 0o755);
  await folder.directory(`${name}/src`, 0o755);
  const all: Sources = { "worker.ts": "export {};", ...sources };
  for (const [file, text] of Object.entries(all)) await folder.file(`${name}/src/${file}`, text);
  return root;
}

async function packed(folder: TestFolder, sources: Sources): Promise<string> {
  const pieces = await packElf(
    Deno.readFileSync(Deno.execPath()),
    await bundle(await project(folder, "project", sources), "elf"),
  );
  await stopBundler();
  const path = `${folder.path}/program`;
  await Deno.writeFile(path, new Blob(pieces as BlobPart[]).stream(), { mode: 0o755 });
  return path;
}

function test(name: string, run: (folder: TestFolder) => Promise<void>): void {
  // Packing is for this platform only; elsewhere there is nothing to test.
  const ignore = Deno.build.target !== "x86_64-unknown-linux-gnu";
  Deno.test({
    name,
    ignore,
    async fn() {
      await using folder = await TestFolder.make();
      try {
        await run(folder);
      } finally {
        await stopBundler();
      }
    },
  });
}

test("a chunk is not evaluated before it is asked for, and only once", async (folder) => {
  const program = await packed(folder, {
    "main.ts": `import { count } from "./shared.ts";
      console.log("main");
      if (Deno.args[0] === "lazy") {
        Promise.all([import("./marker.ts"), import("./marker.ts")]).then(async ([first, second]) => {
          console.log(first.marker === second.marker, count.value);
          const { other } = await import("./other.ts");
          console.log(other());
          ${END} Deno.exit(0);
        });
      } else { ${END} Deno.exit(0); }`,
    "shared.ts": `export const count = { value: 0 }; console.log("shared");`,
    "marker.ts": `import { count } from "./shared.ts"; count.value++; console.log("MARKER"); export const marker = {};`,
    "other.ts": `import { count } from "./shared.ts"; import { deflateSync } from "node:zlib";
      export const other = () => ["other", count.value, deflateSync("x").length > 0].join(" ");`,
  });
  assertEquals((await execute([program])).stdout, "shared\nmain\n");
  assertEquals((await execute([program, "lazy"])).stdout, "shared\nmain\nMARKER\ntrue 1\nother 1 true\n");
});

test("a worker thread runs its own entry and answers", async (folder) => {
  const program = await packed(folder, {
    "main.ts": `const worker = new Worker(Deno.mainModule, { type: "module" });
      worker.onmessage = ({ data }) => { console.log(data); worker.terminate(); ${END} Deno.exit(0); };`,
    "worker.ts": `import("./job.ts").then(({ job }) => (globalThis as unknown as Worker).postMessage(job()));`,
    "job.ts": `export const job = () => "from the worker";`,
  });
  assertEquals((await execute([program])).stdout, "from the worker\n");
});

test("only an end that the program chose keeps its code: the runtime's own failures are 126, never 0 or 1", async (folder) => {
  const program = await packed(folder, {
    "main.ts": `const how = Deno.args[0];
      if (how === "chosen") { ${END} Deno.exit(1); }
      if (how === "exit") Deno.exit(1);
      if (how === "throw") throw new Error("at the top");
      if (how === "later") setTimeout(() => { throw new Error("later"); });
      if (how === "reject") Promise.reject(new Error("rejected"));
      if (how === "kill") Deno.kill(Deno.pid, "SIGKILL");`,
  });
  const codes: Record<string, number> = {};
  for (const how of ["chosen", "exit", "throw", "later", "reject", "nothing", "kill"]) {
    codes[how] = (await execute([program, how])).code;
  }
  assertEquals(codes, { chosen: 1, exit: 126, throw: 126, later: 126, reject: 126, nothing: 126, kill: 137 });
});

test("the program sees the environment it was given, without what steers the runtime", async (folder) => {
  const program = await packed(folder, {
    "main.ts": `${END} console.log(JSON.stringify(Deno.env.toObject())); Deno.exit(0);`,
  });
  const env = {
    HOME: "/somewhere",
    DENO_DIR: "/elsewhere",
    DENO_CERT: "/ca.crt",
    DENO_LOG: "debug",
    DENO_V8_FLAGS: "--nonsense",
    NODE_OPTIONS: "--require /nonsense",
    EMPTY: "",
    PATH: "/bin",
  };
  // `env -i` and nothing else: what starts the tests has a plain environment of its own.
  const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const { stdout } = await execute(["/usr/bin/env", "-i", ...given, program]);
  assertEquals(JSON.parse(stdout), {
    HOME: "/somewhere",
    DENO_DIR: "/elsewhere",
    DENO_CERT: "/ca.crt",
    DENO_LOG: "debug",
    EMPTY: "",
    PATH: "/bin",
  });
  assertEquals((await execute(["/usr/bin/env", "-i", program])).stdout, "{}\n");
});

test("standard input, arguments and signals reach the program", async (folder) => {
  const program = await packed(folder, {
    "main.ts": `Deno.addSignalListener("SIGTERM", () => { ${END} Deno.exit(63); });
      new Response(Deno.stdin.readable).text().then((text) => {
        console.log(JSON.stringify([text, Deno.args]));
        Deno.kill(Deno.pid, "SIGTERM");
        setInterval(() => {}, 1000);
      });`,
  });
  const args = ["--help", "-x", "", "two words", "--", "é", "\t"];
  const { code, stdout } = await execute([program, ...args], { stdin: "from outside" });
  assertEquals(JSON.parse(stdout), ["from outside", args]);
  assertEquals(code, 63);
});

test("a program whose file was replaced starts the file that is there now", async (folder) => {
  const self = JSON.stringify(`${Deno.cwd()}/src/process/self.ts`);
  const program = await packed(folder, {
    "main.ts": `import { exitWith, howBuilt, selfCommand } from ${self};
      Deno.copyFileSync(Deno.execPath(), Deno.execPath() + ".new");
      Deno.renameSync(Deno.execPath() + ".new", Deno.execPath());
      console.log(howBuilt(), selfCommand().path, selfCommand().args.length);
      exitWith(7);`,
  });
  const { code, stdout, stderr } = await execute([program]);
  assertEquals([code, stdout, stderr], [7, `elf ${program} 0\n`, ""]);
});

for (const kind of ["elf", "deno compile"] satisfies BundleKind[]) {
  test(`the same sources in two directories give the same ${kind} bundle`, async (folder) => {
    const sources = {
      "main.ts": `import { a } from "./a.ts"; console.log(a, import.meta.url); import("./b.ts");`,
      "a.ts": `export const a = 1;`,
      "b.ts": `import { a } from "./a.ts"; import { join } from "node:path"; console.log(a, join("x", "y"));`,
    };
    const first = await bundle(await project(folder, "one", sources), kind);
    const second = await bundle(await project(folder, "elsewhere with spaces", sources), kind);
    assert(first.length >= 3, "nothing was split");
    assertEquals(second, first);
    for (const { text } of first) assert(!text.includes(folder.path), "a path of the build machine");
  });
}

test("waiting at the top level, which a packed executable cannot do, is refused when it is bundled", async (folder) => {
  const root = await project(folder, "project", { "main.ts": `await Promise.resolve();` });
  const error = await assertThrows(() => bundle(root, "elf"));
  assertIncludes(error.message, /await/);
});
