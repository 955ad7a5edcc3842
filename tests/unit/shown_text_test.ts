/** Names and texts of others do not steer a terminal, in the log and in answers. */
import { repoLs } from "../../src/commands/repo_ls.ts";
import { createLog } from "../../src/report/log_writer.ts";
import { FindingList } from "../../src/verify/finding.ts";
import { renderReportText } from "../../src/verify/report_text.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { systemClock } from "../../src/process/clock.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";
import { repositoryConfig, testContext } from "../support/stanza_files.ts";

const NAME = "red\x1b[31m\x9b1m\nstatus: ok\t";
const SHOWN = "red\\u001b[31m\\u009b1m\\u000astatus: ok\\u0009";

Deno.test("the log shows what would steer a terminal as its escape, and keeps its lines", async () => {
  const path = await Deno.makeTempFile();
  try {
    {
      using log = createLog({
        console: "off",
        stderr: "off",
        file: { level: "info", path },
        format: "text",
        timestamp: false,
        processDigits: 2,
      });
      log.info(`backup file ${NAME}`);
    }
    const text = await Deno.readTextFile(path);
    assertIncludes(text, "INFO: backup file red\\u001b[31m\\u009b1m\n");
    assertIncludes(text, / {20,}status: ok\t\n$/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("repo-ls gives each name a line of its own, whatever is in it", async () => {
  using place = temporaryDirectory();
  await Deno.writeTextFile(`${place.path}/${NAME}`, "");
  await Deno.writeTextFile(`${place.path}/é "q"`, "");
  let text = "";
  const context = { ...testContext(systemClock), output: (content: string | Uint8Array) => text += String(content) };
  const options = {
    repository: repositoryConfig(1, place.path),
    path: "",
    recurse: false,
    sort: "asc",
    output: "text",
  };
  await repoLs(options as Parameters<typeof repoLs>[0], context);
  assertEquals(text, `${SHOWN}\né "q"\n`);
});

Deno.test("a name in the text of verify cannot look like a line of it", () => {
  const findings = new FindingList();
  findings.add({ kind: "stray", severity: "notice", path: `archive/main/${NAME}`, message: "it does not belong here" });
  const text = renderReportText(
    {
      stanza: "main",
      repositoryKey: 1,
      mode: { kind: "full" },
      archives: [],
      backups: [],
      findings,
    } as unknown as Parameters<typeof renderReportText>[0],
    { verbose: false, isOneOfMany: false },
  );
  assertIncludes(text, `archive/main/${SHOWN}: it does not belong here\n`);
  assert(text.split("\n").filter((line) => line.startsWith("status: ")).length === 1, text);
});
