/**
 * Runs the suites in the order in which they fail fastest, the long ones beside each other (they mostly wait for servers), prints a line for
 * each, one for each reason why tests were skipped, and as its very last line the true sums of all: `N passed, N failed, N skipped`. Names of
 * suites as arguments run only those.
 */
import { skipReason } from "./support/requirements.ts";

interface Suite {
  readonly name: string;
  readonly path: string;
  readonly what: string;
  /** Long suites with different numbers run beside each other, those with the same one behind the other. */
  readonly lane?: number;
  /** Its files may run beside each other: they share nothing, and none waits for the clock. */
  readonly parallel?: boolean;
}

/** Fast first. */
const SUITES: readonly Suite[] = [
  { name: "unit", path: "tests/unit", what: "codecs, parsers, arithmetic", parallel: true },
  { name: "simulation", path: "tests/simulation", what: "thousands of histories of outages, kills and damage" },
  { name: "conformance", path: "tests/conformance", what: "the storage contract over every backend" },
  { name: "fuzz", path: "tests/fuzz", what: "damaged and hostile input" },
  { name: "faults", path: "tests/faults", what: "full disks, failing syncs, kills", lane: 1 },
  { name: "e2e", path: "tests/e2e", what: "the executable against real PostgreSQL", lane: 1 },
  {
    name: "verify",
    path: "tests/verify",
    what: "what verify finds and repair mends, beside the real pgbackrest",
    lane: 1,
  },
  { name: "interop", path: "tests/interop", what: "both directions against the real pgbackrest", lane: 2 },
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** How many were skipped for each reason. */
  readonly reasons: Map<string, number>;
}

async function hasTests(path: string): Promise<boolean> {
  try {
    for await (const entry of Deno.readDir(path)) if (entry.name.endsWith("_test.ts")) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

/** Counts from a JUnit report: test cases, and those among them that failed or were skipped, and why. */
export function countReport(xml: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0, reasons: new Map() };
  for (
    const [, name = "", body = ""] of xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)
  ) {
    if (/<(failure|error)\b/.test(body)) counts.failed += 1;
    else if (/<skipped\b/.test(body)) {
      counts.skipped += 1;
      addReason(counts.reasons, skipReason(unescaped(name)), 1);
    } else counts.passed += 1;
  }
  return counts;
}

function addReason(reasons: Map<string, number>, reason: string, count: number): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + count);
}

/** Text of an XML attribute. */
function unescaped(text: string): string {
  const characters: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replaceAll(/&(\w+);/g, (all, name) => characters[name] ?? all);
}

/** Passes output on line by line, each with its suite's name, so that two suites can be told apart. */
async function passOn(stream: ReadableStream<Uint8Array>, name: string): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop()!;
    for (const line of lines) console.log(`${name.padEnd(7)} ${line}`);
  }
  if (rest !== "") console.log(`${name.padEnd(7)} ${rest}`);
}

/** @param named each line of output carries the suite's name */
async function runSuite(suite: Suite, named: boolean): Promise<Counts> {
  const report = await Deno.makeTempFile({ prefix: "walferry-junit-", suffix: ".xml" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["test", "-A", "--quiet", "--no-check", `--junit-path=${report}`],
        ...(suite.parallel ? ["--parallel"] : []),
        suite.path,
      ],
      stdin: "null",
      stdout: named ? "piped" : "inherit",
      stderr: named ? "piped" : "inherit",
    }).spawn();
    if (named) await Promise.all([passOn(child.stdout, suite.name), passOn(child.stderr, suite.name)]);
    const { code } = await child.status;
    const counts = countReport(await Deno.readTextFile(report));
    // A module that cannot be loaded fails without a test case of its own.
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    return counts;
  } finally {
    await Deno.remove(report);
  }
}

if (import.meta.main) {
  const chosen = Deno.args.length === 0 ? SUITES : SUITES.filter(({ name }) => Deno.args.includes(name));
  const unknown = Deno.args.filter((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    console.log(`there is no suite ${unknown.join(", ")}; there are ${SUITES.map(({ name }) => name).join(", ")}`);
    Deno.exit(2);
  }
  const sums: Counts = { passed: 0, failed: 0, skipped: 0, reasons: new Map() };
  const lines: string[] = [];
  const run = async (suite: Suite, named: boolean) => {
    console.log(`== ${suite.name}: ${suite.what}`);
    const startMs = performance.now();
    const counts = await runSuite(suite, named);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    lines.push(
      `${
        suite.name.padEnd(12)
      } ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, ${seconds} s`,
    );
    for (const key of ["passed", "failed", "skipped"] as const) sums[key] += counts[key];
    for (const [reason, count] of counts.reasons) addReason(sums.reasons, reason, count);
    return counts;
  };
  const runAll = async (suites: readonly Suite[], named: boolean) => {
    for (const suite of suites) {
      if (!await hasTests(suite.path)) continue;
      const { failed } = await run(suite, named);
      // What is broken in the small is not worth minutes of servers.
      if (failed > 0 && suite.name === "unit") return false;
    }
    return true;
  };
  if (await runAll(chosen.filter(({ lane }) => lane === undefined), false)) {
    const lanes = [1, 2].map((lane) => chosen.filter((suite) => suite.lane === lane)).filter((suites) =>
      suites.length > 0
    );
    await Promise.all(lanes.map((suites) => runAll(suites, lanes.length > 1)));
  }
  console.log(`\n${lines.map((line) => `suite ${line}`).join("\n")}`);
  for (const [reason, count] of sums.reasons) console.log(`${count} skipped: ${reason}`);
  console.log(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
  Deno.exit(sums.failed > 0 ? 1 : 0);
}
