import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 375, height: 812 } };

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly target: unknown; readonly failureSummary: string }[];
  }[];
}

/**
 * What axe-core finds that is serious or critical, at the width of a desktop and of a phone: all that it knows in light,
 * and what is about colours in dark as well, where nothing else differs. `part`: a selector of what to look at.
 */
export async function seriousIssues(page: Page, part = "html"): Promise<string[]> {
  const issues: string[] = [];
  await page.evaluate(AXE);
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [name, size] of Object.entries(SIZES)) {
      // While something fades in, its colors are not those that people read.
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(size);
      const rules = colorScheme === "light" ? {} : { runOnly: ["color-contrast", "link-in-text-block"] };
      const options = { resultTypes: ["violations"], ...rules };
      const run = `axe.run(${JSON.stringify(part)}, ${JSON.stringify(options)})`;
      const { violations } = (await page.evaluate(run)) as AxeResults;
      for (const { id, impact, nodes } of violations) {
        if (impact !== "serious" && impact !== "critical") continue;
        for (const { target, failureSummary } of nodes) {
          issues.push(`${name}, ${colorScheme}: ${id} at ${String(target)}: ${failureSummary}`);
        }
      }
    }
  }
  await page.emulateMedia({ reducedMotion: null });
  return issues;
}

/** Bytes of script that a page loads, each file compressed; counted from the call on. */
export function countScripts(page: Page): () => Promise<number> {
  const sizes: Promise<number>[] = [];
  page.on("response", (response) => {
    if (response.request().resourceType() !== "script") return;
    sizes.push(response.body().then((body) => gzipSync(body).length));
  });
  return async () => (await Promise.all(sizes)).reduce((total, size) => total + size, 0);
}

/** Makes a page believe that no one sees it, or that someone does again. */
export async function setHidden(page: Page, hidden: boolean): Promise<void> {
  const state = hidden ? "hidden" : "visible";
  await page.evaluate(`
    Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
    Object.defineProperty(document, "visibilityState", { configurable: true, value: "${state}" });
    document.dispatchEvent(new Event("visibilitychange"));`);
}
