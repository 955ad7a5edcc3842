/** The page of `report` as a real browser shows it: by itself, in light and in dark, narrow and on paper, with the keyboard and for those who hear it. */
import { renderReportHtml } from "../../src/repository/report_html.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { browserPath, TestBrowser } from "../support/browser.ts";
import { calmStanza, emptyStanza, REPORT_NOW, troubledStanza } from "../support/report_samples.ts";
import { testWith } from "../support/requirements.ts";

/** The lowest contrast of any text with what is behind it, as WCAG 2 counts, and that text. */
const LOWEST_CONTRAST = `(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((part) => part / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  let lowest = { ratio: 21, text: "" };
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (text === "" || element.tagName === "title" || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(element.closest("svg") ? style.fill : style.color), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text };
  }
  return lowest;
})()`;

/** What has the focus, in a word. */
const FOCUSED = `(() => {
  const { tagName, parentElement } = document.activeElement;
  return parentElement?.closest("svg") ? "mark" : tagName.toLowerCase();
})()`;

testWith(
  [browserPath],
  "the report in a browser: by itself, readable in light and dark, told to everybody",
  async () => {
    await using folder = await TestFolder.make();
    await using browser = await TestBrowser.start(folder);
    await browser.look({ widthPixels: 1280, scheme: "light" });
    const blank = (await browser.picture()).length;

    const stanzas = [troubledStanza(), calmStanza("ledger", 400), emptyStanza()];
    const path = await folder.file("report.html", renderReportHtml(stanzas, "db1", REPORT_NOW), 0o644);
    const url = `file://${path}`;
    await browser.open(url);
    const text = await browser.evaluate<string>("document.body.innerText");
    for (
      const part of [
        "Needs attention",
        "Newest moment to recover to",
        "unable to connect to 's3.example.com:443'",
        "take a new full backup",
        "verify --repair",
        "pinned: audit <2026>",
        "no valid backups",
      ]
    ) assertIncludes(text, part);

    const pictures: Uint8Array[] = [];
    for (const scheme of ["light", "dark"] as const) {
      await browser.look({ widthPixels: 1280, scheme });
      pictures.push(await browser.picture());
      const { ratio, text } = await browser.evaluate<{ ratio: number; text: string }>(LOWEST_CONTRAST);
      assert(ratio >= 4.5, `contrast of ${ratio.toFixed(2)} in the ${scheme} scheme: ${text}`);
    }
    const [light, dark] = pictures;
    assert(light!.length > 10 * blank && dark!.length > 10 * blank, "the page is blank");
    assert(light!.toHex() !== dark!.toHex(), "dark is as light");

    // Only what scrolls by itself is wider than the window.
    for (const widthPixels of [320, 400, 800, 1920]) {
      await browser.look({ widthPixels, scheme: "light" });
      const width = await browser.evaluate<number>("document.documentElement.scrollWidth");
      assert(width <= widthPixels, `${width} pixels on a screen of ${widthPixels}`);
    }

    // On paper nothing is folded away.
    const isOldestSeen = "[...document.querySelectorAll('details tbody tr')].at(-1).checkVisibility()";
    assertEquals(await browser.evaluate(isOldestSeen), false);
    await browser.look({ widthPixels: 800, scheme: "dark", media: "print" });
    assertEquals(await browser.evaluate(isOldestSeen), true);
    await browser.look({ widthPixels: 1280, scheme: "light" });

    const told = await browser.told();
    for (const { role, name } of told) {
      const needsName = ["link", "heading", "region", "image", "table", "article", "list"].includes(role);
      // A list of notes says by its items what it is.
      assert(!needsName || name !== "" || role === "list", `a ${role} without a name`);
    }
    const names = (role: string) => told.filter((one) => one.role === role).map(({ name }) => name);
    assertEquals(names("heading").slice(0, 3), ["Backups and WAL", "Needs attention", "Stanza orders"]);
    for (
      const [role, part] of [["link", "full backup 2026"], ["image", "duration of each backup: 25 backups"]] as const
    ) {
      assert(names(role).some((name) => name.includes(part)), `no ${role} ${part} in ${names(role).join("\n")}`);
    }

    const focused: string[] = [];
    while (!focused.includes("mark") && focused.length < 40) {
      await browser.tab();
      focused.push(await browser.evaluate(FOCUSED));
    }
    assertEquals(focused[0], "a", "the first stop leads past the head");
    assert(focused.includes("mark"), `the marks cannot be reached: ${focused}`);

    assertEquals(browser.requests, [url]);
    assertEquals(browser.complaints, []);
  },
);
