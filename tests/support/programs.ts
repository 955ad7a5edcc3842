/** The two programs that are held against each other: ours as it is shipped, and the real pgBackRest. */
import type { Manifest } from "../../src/format/manifest.ts";
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { execute, runAs, type RunOptions, type RunResult, sharedPlace, TestFolder } from "./accounts.ts";
import { unavailable } from "./requirements.ts";

/** Our executable: `WALFERRY_EXECUTABLE`, else `dist/walferry`. */
export const walferryPath: string = Deno.env.get("WALFERRY_EXECUTABLE") ?? builtExecutable();
/** The real program: `WALFERRY_TEST_PGBACKREST`, else Debian's. */
export const pgbackrestPath: string = Deno.env.get("WALFERRY_TEST_PGBACKREST") ?? "/usr/bin/pgbackrest";

/** `dist/walferry`, or a copy of it where the test account can run it. */
function builtExecutable(): string {
  const built = `${Deno.cwd()}/dist/walferry`;
  if (sharedPlace === Deno.cwd()) return built;
  const copy = `${sharedPlace}/walferry`;
  Deno.mkdirSync(sharedPlace, { recursive: true, mode: 0o755 });
  try {
    Deno.copyFileSync(built, `${copy}.new`);
    Deno.chmodSync(`${copy}.new`, 0o755);
    Deno.renameSync(`${copy}.new`, copy);
  } catch (error) {
    // Nothing is built yet: the tests that need it say so.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return copy;
}

/** One repository of a test. */
export interface TestRepository {
  readonly path?: string;
  readonly cipherPass?: string;
  /** More lines, without `repoN-`. */
  readonly options?: Readonly<Record<string, string>>;
}

/** A configuration file that both programs read, with folders of its own. */
export class TestStanza {
  readonly folder: TestFolder;
  readonly config: string;
  readonly name = "main";
  readonly repositories: readonly string[];

  private constructor(folder: TestFolder, config: string, repositories: readonly string[]) {
    this.folder = folder;
    this.config = config;
    this.repositories = repositories;
  }

  /** Writes the configuration for a cluster. */
  static async make(
    folder: TestFolder,
    cluster: { readonly path: string; readonly port: number },
    options: {
      repositories?: readonly TestRepository[];
      global?: Readonly<Record<string, string>>;
      stanza?: Readonly<Record<string, string>>;
      name?: string;
    } = {},
  ): Promise<TestStanza> {
    const name = options.name ?? "conf";
    const root = await folder.directory(name);
    for (const part of ["lock", "log", "spool"]) await folder.directory(`${name}/${part}`, 0o770);
    const repositories: string[] = [];
    const lines: string[] = [
      "[global]",
      `lock-path=${root}/lock`,
      `log-path=${root}/log`,
      `spool-path=${root}/spool`,
    ];
    for (const [at, repository] of (options.repositories ?? [{}]).entries()) {
      const path = repository.path ?? await folder.directory(`${name}/repo${at + 1}`);
      repositories.push(path);
      lines.push(`repo${at + 1}-path=${path}`, `repo${at + 1}-retention-full=9`);
      if (repository.cipherPass !== undefined) {
        lines.push(`repo${at + 1}-cipher-type=aes-256-cbc`, `repo${at + 1}-cipher-pass=${repository.cipherPass}`);
      }
      for (const [key, value] of Object.entries(repository.options ?? {})) lines.push(`repo${at + 1}-${key}=${value}`);
    }
    for (
      const [key, value] of Object.entries({
        "log-level-console": "info",
        "start-fast": "y",
        "archive-timeout": "20s",
        ...options.global,
      })
    ) {
      lines.push(`${key}=${value}`);
    }
    lines.push(
      "[main]",
      `pg1-path=${cluster.path}`,
      `pg1-port=${cluster.port}`,
      `pg1-socket-path=${folder.path}`,
      "pg1-user=postgres",
    );
    for (const [key, value] of Object.entries(options.stanza ?? {})) lines.push(`${key}=${value}`);
    return new TestStanza(folder, await folder.file(`${name}/pgbackrest.conf`, `${lines.join("\n")}\n`), repositories);
  }

  /** Value of `archive_command` or a shell word list that runs one of the programs. */
  commandLine(program: "walferry" | "pgbackrest", ...args: string[]): string {
    return this.command(program, ...args).join(" ");
  }

  /** The words that run one of the programs. */
  command(program: "walferry" | "pgbackrest", ...args: string[]): string[] {
    const path = program === "walferry" ? walferryPath : pgbackrestPath;
    return [path, `--config=${this.config}`, `--stanza=${this.name}`, ...args];
  }

  /** Runs ours, whatever its exit code. */
  async walferry(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    assertBuilt();
    return await execute([walferryPath, `--config=${this.config}`, `--stanza=${this.name}`, ...args], options);
  }

  /** Runs the real program, whatever its exit code. */
  async pgbackrest(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return await execute([pgbackrestPath, `--config=${this.config}`, `--stanza=${this.name}`, ...args], options);
  }

  /** Runs one of the two; it must succeed. */
  async must(program: "walferry" | "pgbackrest", args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this[program](args, options);
    if (result.code !== 0) {
      throw new Error(`${program} ${args.join(" ")} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    }
    return result.stdout;
  }
}

function assertBuilt(): void {
  try {
    Deno.statSync(walferryPath);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    unavailable(`${walferryPath} does not exist: run ./compile.sh`);
  }
}

/** What a backup in a repository of files consists of. */
export async function manifestOf(repository: string, label: string): Promise<Manifest> {
  return parseManifest(await runAs(["cat", `${repository}/backup/main/${label}/backup.manifest`]));
}

/** Labels of the backups in a repository of files, in order. */
export async function labelsIn(repository: string): Promise<string[]> {
  const names = await runAs(["sh", "-c", `cd ${repository}/backup/main && ls -d *F*`]);
  return names.trim().split("\n").filter((name) => name !== "backup.history").sort();
}
