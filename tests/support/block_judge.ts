/** Tests of block incremental backups need a pgbackrest in which their form is final. */
import { BACKREST_VERSION } from "../../src/version.ts";
import type { Program } from "./interop_story.ts";
import { pgbackrestPath } from "./programs.ts";
import { hasProgram, skipTest, testWith } from "./requirements.ts";

/** The first release with the final form. */
const FIRST_FINAL = [2, 46] as const;

/** Registers a test that holds block incremental backups against the real program; one that is too old cannot judge them. */
export function testWithBlocks(
  programs: readonly string[],
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
): void {
  if (hasFinalBlocks()) return testWith([pgbackrestPath, ...programs], name, run);
  skipTest(
    name,
    `block incremental backups need pgbackrest ${
      FIRST_FINAL.join(".")
    } or newer (set WALFERRY_TEST_PGBACKREST), ${pgbackrestPath} is ${judgeVersion() ?? "missing"}`,
  );
}

/** Whether the real program writes blocks in their final form. */
export function hasFinalBlocks(): boolean {
  const [major = 0, minor = 0] = judgeVersion()?.split(".").map(Number) ?? [];
  return major > FIRST_FINAL[0] || (major === FIRST_FINAL[0] && minor >= FIRST_FINAL[1]);
}

/** Whether the real program is of the release whose behaviour walferry has: only of such a one it goes on with unfinished backups. */
export function hasSameVersion(): boolean {
  return judgeVersion() === BACKREST_VERSION;
}

/** Who takes turns with walferry in making blocks: where the original's are others, walferry does all of it. */
export function blockPeer(): Program {
  return hasFinalBlocks() ? "pgbackrest" : "walferry";
}

function judgeVersion(): string | undefined {
  if (!hasProgram(pgbackrestPath)) return undefined;
  const { stdout } = new Deno.Command(pgbackrestPath, { args: ["version"], clearEnv: true }).outputSync();
  return /(\d+\.\d+[.\d]*)/.exec(new TextDecoder().decode(stdout))?.[1];
}
