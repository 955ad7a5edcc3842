/** The log file: lines that pgBackRest's log parsers read, JSON that every reader takes, a file that cannot be opened. */
import type { LogLevel } from "../../src/report/log.ts";
import { createLog, type LogOptions } from "../../src/report/log_writer.ts";
import { formatSize } from "../../src/report/units.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";

/** What stands in the log file after some messages. */
async function logged(
  { level = "info", ...options }: Partial<LogOptions> & { readonly level?: LogLevel },
  write: (log: ReturnType<typeof createLog>) => void,
  before = "",
): Promise<string> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, before);
    using log = createLog({
      console: "off",
      stderr: "off",
      file: { level, path },
      format: "text",
      timestamp: true,
      processDigits: 2,
      ...options,
    });
    write(log);
    return await Deno.readTextFile(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Lines without their time. */
const timeless = (text: string) => text.replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /gm, "");

Deno.test("a line has time, process, level and text; lines behind the first are indented to the text", async () => {
  const text = await logged({}, (log) => {
    log.info("begin");
    log.warn("what\nHINT: do");
    log.error("gone", 55);
    log.detail("not shown", 1);
  });
  const indent = " ".repeat("2026-01-01 00:00:00.000 P00   WARN: ".length);
  assertEquals(
    timeless(text),
    `-------------------PROCESS START-------------------\nP00   INFO: begin\nP00   WARN: what\n${indent}HINT: do\nP00  ERROR: [055]: gone\n`,
  );
  assert(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} P00 {3}INFO: begin$/m.test(text));
});

Deno.test("a line that nobody reads is not made", async () => {
  let made = 0;
  const detail = (log: ReturnType<typeof createLog>) => log.detail(() => `made ${++made}`, 3);
  const start = "-------------------PROCESS START-------------------\n";
  assertEquals([timeless(await logged({}, detail)), made], [start, 0]);
  assertEquals(timeless(await logged({ level: "detail" }, detail)), `${start}P03 DETAIL: made 1\n`);
});

Deno.test("a new process begins behind a blank line; three digits; dry run", async () => {
  const text = await logged({ processDigits: 3, dryRun: true }, (log) => log.info("x"), "old\n");
  assertEquals(
    timeless(text),
    "old\n\n-------------------PROCESS START-------------------\nP000   INFO: [DRY-RUN] x\n",
  );
});

Deno.test("as JSON each line is one object with a time that every reader understands", async () => {
  const text = await logged({ format: "json" }, (log) => {
    log.info("a\nb");
    log.error("gone", 55);
  });
  const [info, error] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals([info.level, info.process, info.message, error.code], ["info", 0, "a\nb", 55]);
  assertIncludes(info.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/);
  assert(Math.abs(Date.parse(info.time) - Date.now()) < 60_000, info.time);
});

Deno.test("sizes have one decimal, rounded, which is left out when it is zero", () => {
  const sizes: ReadonlyArray<readonly [bytes: number, text: string]> = [
    [0, "0B"],
    [1023, "1023B"],
    [1024, "1KB"],
    [2007, "2KB"],
    [8252, "8.1KB"],
    [32_556, "31.8KB"],
    [92_379_546, "88.1MB"],
    [1024 ** 3 - 1, "1024MB"],
    [5 * 1024 ** 4, "5120GB"],
  ];
  for (const [bytes, text] of sizes) assertEquals(formatSize(bytes), text);
});
