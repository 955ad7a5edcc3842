import { assertEquals } from "../support/assert.ts";
import { countReport } from "../run.ts";

Deno.test("the sums of a report count passed, failed and skipped cases, these by their reasons", () => {
  const xml = `<testsuites><testsuite name="a" tests="6">
    <testcase name="one [skipped: not this one]" classname="x"></testcase>
    <testcase name="two" classname="x"/>
    <testcase name="three"><failure message="m">text</failure></testcase>
    <testcase name="four [skipped: it&apos;s &lt; 2 &amp;amp; old]" classname="x"><skipped/></testcase>
    <testcase name="five [a] [skipped: it&apos;s &lt; 2 &amp;amp; old]"><skipped/></testcase>
    <testcase name="six"><skipped/></testcase>
  </testsuite></testsuites>`;
  const reasons = new Map([["it's < 2 &amp; old", 2], ["no reason given", 1]]);
  assertEquals(countReport(xml), { passed: 2, failed: 1, skipped: 3, reasons });
});
