/**
 * `repo-ls`, `repo-get`, `repo-put`, `repo-rm`, `annotate` and `manifest` say and do what the real pgbackrest says and does, byte for byte where it is
 * defined, with its exit codes.
 */
import { execute, type RunResult, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { TestCluster } from "../support/postgres.ts";
import { pgbackrestPath, TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/initdb", "sh", "ln", "mkfifo"];

interface Place extends AsyncDisposable {
  readonly stanza: TestStanza;
  readonly root: string;
  readonly label: string;
  readonly diff: string;
  /** Path of a segment in the repository. */
  readonly segment: string;
}

/** A repository of the real program: a segment, a full and a differential backup of a cluster that does not run. */
async function makePlace(cipherPass: string | undefined, bundle: "y" | "n" = "n"): Promise<Place> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ cipherPass, options: { bundle } }],
    global: { "compress-type": "zst", "log-level-console": "off", "log-level-stderr": "error" },
  });
  await stanza.must("pgbackrest", ["--no-online", "stanza-create"]);
  await stanza.must("pgbackrest", ["archive-push", `${cluster.path}/pg_wal/000000010000000000000001`]);
  await stanza.must("pgbackrest", ["--no-online", "--type=full", "--annotation=made=by hand", "backup"]);
  await cluster.configure("# changed");
  await stanza.must("pgbackrest", ["--no-online", "--type=diff", "backup"]);
  const root = stanza.repositories[0]!;
  const names = async (path: string) =>
    (await Array.fromAsync(Deno.readDir(`${root}/${path}`))).map(({ name }) => name).sort();
  const labels = await names("backup/main");
  const [segment] = await names("archive/main/15-1/0000000100000000");
  return {
    stanza,
    root,
    label: labels.find((name) => /^\d{8}-\d{6}F$/.test(name))!,
    diff: labels.find((name) => name.endsWith("D"))!,
    segment: `archive/main/15-1/0000000100000000/${segment}`,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Runs one of the two without the option `stanza`; what is printed comes back byte for byte, as hexadecimal. */
async function bare(place: Place, program: string, args: string[], stdin?: string): Promise<RunResult> {
  const shell = 'exec "$0" "$@" | od -An -v -tx1; exit "${PIPESTATUS[0]}"';
  return await execute(["bash", "-c", shell, program, `--config=${place.stanza.config}`, ...args], { stdin });
}

/** The same output and code from both. */
async function same(test: Deno.TestContext, place: Place, args: string[], what = args.join(" ")): Promise<RunResult> {
  let ours: RunResult | undefined;
  await test.step(what, async () => {
    ours = await bare(place, walferryPath, args);
    const theirs = await bare(place, pgbackrestPath, args);
    assertEquals({ code: ours.code, stdout: ours.stdout }, { code: theirs.code, stdout: theirs.stdout }, ours.stderr);
  });
  return ours!;
}

testWith(NEEDS, "repo-ls lists what pgbackrest lists, in its order and with its codes", async (test) => {
  await using place = await makePlace(undefined);
  const { root } = place;
  const odd = `${root}/odd`;
  await execute([
    "sh",
    "-c",
    `mkdir -p '${odd}/a/y' && cd '${odd}' && touch a/x a/y/z a.b A 'é' 'sp ace' 'q"uote' && mkfifo pipe && ln -s a link`,
  ]);
  const cases: string[][] = [
    ["repo-ls"],
    ["repo-ls", "backup/main"],
    ["repo-ls", "backup/main/"],
    ["repo-ls", `${root}/archive`],
    ["repo-ls", root],
    ["--stanza=main", "repo-ls", "archive/main"],
    ["--stanza=other", "repo-ls", "archive/main"],
    ["--recurse", "repo-ls"],
    ["--recurse", "--sort=desc", "repo-ls", "odd"],
    ["--recurse", "--output=json", "repo-ls", "odd"],
    ["--recurse", "--output=json", "--sort=desc", "repo-ls", "odd"],
    ["--recurse", "--output=json", "repo-ls"],
    ["--output=json", "repo-ls", "backup/main"],
    ["--output=json", "repo-ls", "backup/main/backup.info"],
    ["repo-ls", "backup/main/backup.info"],
    ["repo-ls", "odd/link"],
    ["--output=json", "repo-ls", "odd/link"],
    ["--recurse", "--filter=z$", "repo-ls", "odd"],
    ["--filter=z$", "repo-ls", "odd"],
    ["--filter=^a(rchive)?[^x]*$", "--recurse", "--output=json", "repo-ls"],
    ["--filter=no", "repo-ls", "backup/main/backup.info"],
    ["repo-ls", "nothing"],
    ["--output=json", "repo-ls", "nothing"],
    ["--filter=(", "repo-ls"],
    ["repo-ls", "/etc"],
    ["repo-ls", "a//b"],
    ["repo-ls", "a", "b"],
    ["--repo=2", "repo-ls"],
    ["--sort=up", "repo-ls"],
    ["--output=num", "repo-ls"],
    ["--set=x", "repo-ls"],
  ];
  for (const args of cases) await same(test, place, args);
  await test.step("nothing outside the repository is listed", async () => {
    for (const path of ["..", "../repo1", "archive/../..", "."]) {
      assertEquals((await bare(place, walferryPath, ["repo-ls", path])).code, 96, path);
    }
  });
});

for (const [kind, cipherPass, bundle] of [["plain", undefined, "n"], ["encrypted", "a b c", "n"]] as const) {
  testWith(NEEDS, `repo-get gives every file of a ${kind} repository as pgbackrest does`, async (test) => {
    await using place = await makePlace(cipherPass, bundle);
    const { label, diff, root, segment } = place;
    const paths = [
      "archive/main/archive.info",
      `${root}/archive/main/archive.info.copy`,
      "backup/main/backup.info",
      "backup/main/backup.info.copy",
      `backup/main/${label}/backup.manifest`,
      `backup/main/${diff}/backup.manifest.copy`,
      `backup/main/${label}/pg_data/PG_VERSION.zst`,
      `backup/main/latest/backup.manifest`,
      `backup/main/backup.history/${label.slice(0, 4)}/${label}.manifest.gz`,
      segment,
      "archive/main/nothing",
      `backup/main/${label}/nothing`,
      "backup/main/20200101-000000F/nothing",
      "archive/nobody/x",
      "nothing",
      "nothing/x",
      "backup/main",
      "/etc/passwd",
      "backup//main",
    ];
    for (const path of paths) {
      await same(test, place, ["repo-get", path]);
      await same(test, place, ["--raw", "repo-get", path]);
      await same(test, place, ["--ignore-missing", "repo-get", path]);
    }
    await same(test, place, ["repo-get"]);
    await same(test, place, ["--stanza=main", "repo-get", segment]);
    await same(test, place, ["--stanza=other", "repo-get", segment]);
    await same(test, place, ["--cipher-pass=a b c", "repo-get", "archive/main/archive.info"]);
    await same(test, place, ["--cipher-pass=wrong", "repo-get", "archive/main/archive.info"]);
    await same(test, place, ["--cipher-pass=x", "repo-ls"]);
  });
}

testWith(
  NEEDS,
  "what repo-put stores repo-get of both programs gives back; repo-rm removes as pgbackrest does",
  async (test) => {
    for (const cipherPass of [undefined, "a b c"]) {
      await using place = await makePlace(cipherPass);
      const get = async (program: string, ...args: string[]) => await bare(place, program, ["repo-get", ...args]);
      const put = async (program: string, ...args: string[]) =>
        await bare(place, program, ["repo-put", ...args], "some content\n");
      await test.step(`repo-put, ${cipherPass ?? "plain"}`, async () => {
        for (const path of ["archive/main/15-1/00000002.history", `backup/main/${place.label}/pg_data/extra`]) {
          assertEquals((await put(walferryPath, path)).code, 0);
          const [ours, theirs] = [await get(walferryPath, path), await get(pgbackrestPath, path)];
          assertEquals(ours, theirs);
          assertEquals(ours.code, 0);
          assertIncludes(ours.stdout, "73 6f 6d 65 20 63 6f 6e");
        }
        assertEquals((await put(walferryPath, "--raw", "x/raw")).code, 0);
        assertEquals(await Deno.readTextFile(`${place.root}/x/raw`), "some content\n");
        assertEquals((await put(walferryPath, "x/own")).code, 0);
        const withPass = cipherPass === undefined ? [] : [`--cipher-pass=${cipherPass}`];
        assertEquals((await get(pgbackrestPath, ...withPass, "x/own")).code, 0);
        for (const args of [[], ["/etc/x"], ["a//b"]]) {
          assertEquals((await put(walferryPath, ...args)).code, (await put(pgbackrestPath, ...args)).code);
        }
        assert((await put(walferryPath, "archive/main")).code >= 25, "a path is not replaced by a file");
      });
      await test.step(`repo-rm, ${cipherPass ?? "plain"}`, async () => {
        const steps = [["x/raw"], ["x"], ["--recurse", "x"], ["x"], ["nothing/at/all"], [], ["/etc/x"], ["a//b"], [
          "a",
          "b",
        ]];
        const states: unknown[] = [];
        for (const program of [walferryPath, pgbackrestPath]) {
          for (const name of ["raw", "own", "y/z"]) {
            assertEquals((await put(walferryPath, "--raw", `x/${name}`)).code, 0);
          }
          const seen: unknown[] = [];
          for (const args of steps) {
            const { code } = await bare(place, program, ["repo-rm", ...args]);
            seen.push([args, code, (await bare(place, pgbackrestPath, ["--recurse", "repo-ls", "x"])).stdout]);
          }
          states.push(seen);
        }
        assertEquals(states[0], states[1]);
        assertEquals((await bare(place, walferryPath, ["--recurse", "repo-rm"])).code, 31);
        assertEquals((await bare(place, walferryPath, ["repo-ls"])).code, 0);
        assert((await bare(place, walferryPath, ["repo-ls"])).stdout.length > 0, "the repository is still there");
      });
    }
  },
);

testWith(NEEDS, "annotate changes notes as pgbackrest does, in every repository that holds the backup", async () => {
  await using place = await makePlace("a b c");
  const { stanza, label } = place;
  const notes = async () => (await stanza.must("pgbackrest", [`--set=${label}`, "info"])).split("annotation(s)")[1];
  const codes = async (args: string[]) => {
    const [ours, theirs] = [await stanza.walferry(args), await stanza.pgbackrest(args)];
    assertEquals(ours.code, theirs.code, `${args.join(" ")}: ${ours.stderr}\n${theirs.stderr}`);
    return ours.code;
  };
  assertIncludes((await notes())!, "made: by hand");
  await stanza.must("walferry", [
    `--set=${label}`,
    "--annotation=made=",
    "--annotation=a=1",
    "--annotation=b= x=y ",
    "annotate",
  ]);
  const ours = await notes();
  await stanza.must("pgbackrest", [
    `--set=${label}`,
    "--annotation=a=",
    "--annotation=b=",
    "--annotation=made=by hand",
    "annotate",
  ]);
  await stanza.must("pgbackrest", [
    `--set=${label}`,
    "--annotation=made=",
    "--annotation=a=1",
    "--annotation=b= x=y ",
    "annotate",
  ]);
  assertEquals(ours, await notes());
  assertIncludes(ours!, "a: 1");
  await stanza.must("walferry", [`--set=${label}`, "--annotation=a=", "--annotation=b=", "annotate"]);
  assertEquals(await notes(), undefined);

  assertEquals(await codes([`--set=${label}`, "annotate"]), 37);
  assertEquals(await codes(["--annotation=a=b", "annotate"]), 37);
  assertEquals(await codes(["--set=20200101-000000F", "--annotation=a=b", "annotate"]), 75);
  assertEquals(await codes(["--set=latest", "--annotation=a=b", "annotate"]), 32);
  assertEquals(await codes([`--set=${label}`, "--annotation=a", "annotate"]), 31);
});

testWith(NEEDS, "manifest shows a backup as the real program does, as text and as JSON", async () => {
  for (const bundle of ["y", "n"] as const) {
    await using place = await makePlace("a b c", bundle);
    const { stanza, label, diff } = place;
    for (const args of [[], [`--set=${label}`], [`--set=${diff}`]]) {
      // Before 2.46 there is no reference of a file, and releases round sizes differently.
      const shown = async (program: "walferry" | "pgbackrest", ...output: string[]) =>
        (await stanza.must(program, [...output, ...args, "manifest"]))
          .replace(/,"reference":"[^"]*"| {6}reference: .*\n/g, "").replace(/\d+(?:\.\d)?[KMG]B/g, "<size>");
      const same = (await shown("walferry")) === (await shown("pgbackrest"));
      const sameJson =
        (await shown("walferry", "--output=json")).trimEnd() === await shown("pgbackrest", "--output=json");
      // Too long to be shown.
      assertEquals([same, sameJson], [true, true], `${bundle} ${args}`);
    }
    interface Shown {
      label: string;
      fileList: Array<{ name: string; reference?: string }>;
    }
    const json = async (...args: string[]) =>
      JSON.parse(await stanza.must("walferry", ["--output=json", ...args, "manifest"])) as Shown;
    const inFull = (await json(`--reference=${label}`)).fileList;
    assert(inFull.length > 500 && inFull.every(({ reference }) => reference === label));
    const own = (await json("--reference=latest")).fileList;
    assert(own.length > 0 && own.every(({ reference }) => reference === undefined));
    assertEquals((await json("--filter=PG_VERSION$", `--set=${label}`)).fileList.length, 4);
    const text = await stanza.must("walferry", [`--set=${label}`, "--filter=^pg_data/PG_VERSION$", "manifest"]);
    assertIncludes(
      text,
      /file list:\n {2}- pg_data\/PG_VERSION\n {6}size: 3B, repo \d+B\n {6}checksum: [0-9a-f]{40}\n/,
    );
    assertEquals((await stanza.walferry(["--set=20200101-000000F", "manifest"])).code, 75);
  }
});
