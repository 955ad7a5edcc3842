/** The page for people, of real repositories. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, TestFolder } from "../support/accounts.ts";
import { readPage } from "../support/html_page.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  "report writes one page about backups and WAL of every repository",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
    const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, { cipherPass: "secret passphrase" }] });
    await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    const path = `${folder.path}/drills.html`;
    const page = async () => {
      await stanza.must("walferry", [`--html=${path}`, "report"]);
      return await Deno.readTextFile(path);
    };
    assertIncludes(readPage(await page()), "There are no backups.");

    await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
    await stanza.must("walferry", ["--type=incr", "backup"]);
    await cluster.archiveSegment();
    const html = await page();
    const text = readPage(html);
    const [info] = JSON.parse(await stanza.must("walferry", ["--output=json", "info"]));
    assertEquals(info.backup.length, 3);
    for (const { label, type } of info.backup) {
      assertIncludes(text, label);
      assertIncludes(text, `${type} backup ${label}`);
    }
    assertEquals([...text.matchAll(/recovery to any moment from/g)].length, 2);
    assert(!text.includes("no moment") && !html.includes("passphrase"));
    // Nothing else is left beside it.
    assertEquals([...Deno.readDirSync(folder.path)].filter(({ name }) => name.endsWith(".tmp")), []);

    const printed = await execute([walferryPath, `--config=${stanza.config}`, "--html=-", "report"]);
    assertEquals(printed.code, 0, printed.stderr);
    readPage(printed.stdout);
    const closed = await stanza.walferry(["--html=/proc/1/root/page.html", "report"]);
    assertEquals(closed.code, 64, closed.stdout + closed.stderr);
    assertIncludes(closed.stdout, "unable to write '/proc/1/root/page.html': Permission denied");
    const nowhere = await stanza.walferry(["--html=/nonexistent/page.html", "report"]);
    assertEquals(nowhere.code, 64, nowhere.stdout);
  },
);
