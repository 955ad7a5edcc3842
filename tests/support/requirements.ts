/** What a test needs and cannot have: a failure where everything must be there, a skip with its reason on somebody's own machine. */

/** True in CI: nothing may be skipped. */
export const everythingRequired = Deno.env.get("WALFERRY_TEST_REQUIRE") === "1";

/** Ends the test as failed, with the reason: what can be known beforehand is asked through {@link testWith}. */
export function unavailable(reason: string): never {
  throw new Error(reason);
}

/** True when a program is in PATH or at this path. */
export function hasProgram(name: string): boolean {
  const places = name.startsWith("/")
    ? [name]
    : ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((path) => `${path}/${name}`);
  return places.some((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

/** Between the name of a test that is skipped and the reason. */
const REASON_MARK = " [skipped: ";

/** Registers a test that does not run. The reason is part of its name, so that every report of a run has it. */
export function skipTest(name: string, reason: string): void {
  Deno.test({ name: `${name}${REASON_MARK}${reason}]`, ignore: true, fn: () => undefined });
}

/** The reason in the name of a skipped test. */
export function skipReason(name: string): string {
  const at = name.lastIndexOf(REASON_MARK);
  return at < 0 ? "no reason given" : name.slice(at + REASON_MARK.length, -1);
}

/** Registers a test that needs these programs, and root (to mount a file system). */
export function testAsRoot(
  programs: readonly string[],
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
): void {
  if (Deno.uid() === 0) testWith(programs, name, run);
  else skipTest(name, "needs root");
}

/** Why what needs these programs is skipped; where everything must be there, nothing is: it fails by itself. */
export function whySkipped(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !hasProgram(program));
  return missing.length > 0 && !everythingRequired ? `missing ${missing.join(", ")}` : undefined;
}

/** Registers a test that needs these programs. */
export function testWith(
  programs: readonly string[],
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
): void {
  const reason = whySkipped(programs);
  if (reason !== undefined) return skipTest(name, reason);
  Deno.test({
    name,
    async fn(test) {
      const missing = programs.filter((program) => !hasProgram(program));
      if (missing.length > 0) throw new Error(`missing ${missing.join(", ")} (WALFERRY_TEST_REQUIRE=1)`);
      await run(test);
    },
  });
}
