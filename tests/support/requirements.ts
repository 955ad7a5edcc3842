/** What a test needs and cannot have: a failure where everything must be there, a loud skip on somebody's own machine. */

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

/** Registers a test that needs these programs, and root (to mount a file system). */
export function testAsRoot(
  programs: readonly string[],
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
): void {
  if (Deno.uid() === 0) return testWith(programs, name, run);
  console.log(`SKIPPED '${name}': needs root`);
  Deno.test({ name, ignore: true, fn: () => undefined });
}

/** Registers a test that needs these programs. */
export function testWith(
  programs: readonly string[],
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
): void {
  const missing = programs.filter((program) => !hasProgram(program));
  if (missing.length > 0 && !everythingRequired) console.log(`SKIPPED '${name}': missing ${missing.join(", ")}`);
  Deno.test({
    name,
    ignore: missing.length > 0 && !everythingRequired,
    async fn(test) {
      if (missing.length > 0) throw new Error(`missing ${missing.join(", ")} (WALFERRY_TEST_REQUIRE=1)`);
      await run(test);
    },
  });
}
