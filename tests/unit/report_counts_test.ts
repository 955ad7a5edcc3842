import { assertEquals } from "../support/assert.ts";
import { countReport } from "../run.ts";

Deno.test("the sums of a report count passed, failed and skipped cases", () => {
  const xml = `<testsuites><testsuite name="a" tests="4">
    <testcase name="one" classname="x"></testcase>
    <testcase name="two" classname="x"/>
    <testcase name="three"><failure message="m">text</failure></testcase>
    <testcase name="four"><skipped/></testcase>
  </testsuite></testsuites>`;
  assertEquals(countReport(xml), { passed: 2, failed: 1, skipped: 1 });
});
