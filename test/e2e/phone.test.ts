import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { describeInBrowser } from "../support/browser.ts";
import { startServer } from "../support/server.ts";

const WIDTHS = [320, 360, 390];
/** What Apple asks for; Google asks for a little more. */
const FINGER = 44;

/** Texts of the page that lie over one another, and those that stick out of it. */
function overlaps(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: parent, textContent } = walker.currentNode;
      // What scrolls by itself has lines that lie outside of it.
      if (textContent.trim() === "" || parent.closest(".rows, .scroll, #messages, #log, .skip, .unseen, script, noscript, .tabs")) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      // A button hides what lies under any part of it.
      const rectangles = (parent.tagName === "BUTTON" ? parent : range).getClientRects();
      for (const { left, right, top, bottom } of rectangles)
        if (right > left) texts.push({ text: textContent.trim(), node: walker.currentNode, left, right, top, bottom });
    }
    const found = [];
    for (const [index, one] of texts.entries()) {
      if (one.right > document.documentElement.clientWidth + 1) found.push("outside: " + one.text);
      for (const other of texts.slice(index + 1)) {
        if (one.node === other.node) continue;
        const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (width > 1 && height > 4) found.push(one.text + " over " + other.text);
      }
    }
    return found;
  })()`);
}

/** What can be pressed and is smaller than a finger; links in the midst of a sentence are as high as their line. */
function small(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("a, button, input, select, textarea")]
    .filter((element) => element.checkVisibility() && element.type !== "checkbox" && !element.matches(".skip, p a, .said a"))
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => Math.min(box.width, box.height) < ${FINGER} - 0.5)
    .map(({ element, box }) => element.outerHTML.slice(0, 60) + " is " + box.width + "×" + box.height)`);
}

describeInBrowser("the pages on a phone", {}, (it) => {
  for (const path of ["/", "/chat", "/dashboard"]) {
    it(`${path} prints no number over another, and has room for fingers`, async (browser) => {
      await using server = await startServer();
      for (let n = 1; n <= 3; n++) await server.publish(`team.apac.project-${n}`, n);
      await server.publish("default", "hello");
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await browser.newContext({ colorScheme, hasTouch: true, isMobile: true });
        const page = await context.newPage();
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 740 });
          await page.goto(`${server.url}${path}`);
          if (path === "/chat") {
            await page.locator("#rows", { hasText: "hello" }).waitFor();
            await page.locator("#readers", { hasText: "reader" }).waitFor();
          } else await page.locator("#state[data-state=on]").waitFor();
          if (path === "/dashboard") {
            await page.locator("#channel-rows", { hasText: "project-3" }).waitFor();
            // As after months of work, with a log of a long name.
            await page.evaluate(`(() => {
              const long = { published: "1,234,567,890", delivered: "98,765,432,109", kept: "10,002,961", "channel-total": "99,999", "reader-total": "10,000" };
              for (const [id, text] of Object.entries(long)) document.getElementById(id).textContent = text;
              document.querySelector(".facts code").textContent = "file:a-hub-with-a-rather-long-name.db";
            })()`);
          }
          assert.deepEqual(await overlaps(page), [], `${colorScheme}, ${width}`);
          assert.deepEqual(await small(page), [], `${colorScheme}, ${width}`);
          if (path !== "/chat") continue;
          await page.click("#show-channels");
          await page.locator("#others", { hasText: "project-3" }).waitFor();
          assert.deepEqual(await small(page), [], `channels, ${colorScheme}, ${width}`);
        }
        await context.close();
      }
    });
  }
});
