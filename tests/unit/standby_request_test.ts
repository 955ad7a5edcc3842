/** Which requests of PostgreSQL may go without an answer for a while: those of a standby, which asks again and takes no wrong turn meanwhile. */
import { asksAgain } from "../../src/postgres/standby_request.ts";
import { assertEquals } from "../support/assert.ts";
import { makeClusterFiles, temporaryDirectory, writeFile } from "../support/cluster_files.ts";

const SEGMENT = "000000010000000000000003";
const NEWER_TIMELINE = "000000020000000000000003";
const HISTORY = "00000002.history";

/** `postmaster.pid` with the state of the server in its last line. */
function postmasterFile(state: string): string {
  return `123\n/data\n1795220213\n5432\n/tmp\n\n   5432001      1\n${state}\n`;
}

Deno.test("only a standby asks again: for its timeline's segments, and for history files when its recovery has begun", () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  const answers = () => [SEGMENT, NEWER_TIMELINE, HISTORY].map((name) => asksAgain(path, name));
  assertEquals(answers(), [false, false, false], "no cluster");
  makeClusterFiles(path);
  writeFile(`${path}/recovery.signal`, "");
  writeFile(`${path}/postmaster.pid`, postmasterFile("ready   "));
  assertEquals(answers(), [false, false, false], "a recovery that ends");
  writeFile(`${path}/standby.signal`, "");
  assertEquals(answers(), [true, false, true], "a standby that takes connections");
  writeFile(`${path}/postmaster.pid`, postmasterFile("standby "));
  assertEquals(answers(), [true, false, true], "a standby that takes none");
  writeFile(`${path}/postmaster.pid`, postmasterFile("starting"));
  assertEquals(answers(), [true, false, false], "it chooses its timeline now");
  Deno.removeSync(`${path}/postmaster.pid`);
  assertEquals(answers(), [true, false, false]);
  assertEquals(asksAgain(path, "000000010000000000000003.00000028.backup"), false);
  Deno.removeSync(`${path}/global/pg_control`);
  assertEquals(answers(), [false, false, false], "nothing is known of it");
  assertEquals(asksAgain(`${path}/${"x".repeat(300)}`, SEGMENT), false, "it cannot be looked at");
});
