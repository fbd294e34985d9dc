import { existsSync } from "node:fs";
import { after, before, describe, it, type TestContext } from "node:test";
import { chromium, type Browser, type Page } from "playwright-core";
import { needs } from "./needs.ts";

const WHOLE = "/usr/bin/chromium";
// Draws no window around a page, which then costs a third; where it is missing, the whole browser does the same.
const SHELL = "/usr/bin/chromium-headless-shell";
const SWITCHES =
  "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run";

/** Opens Chromium without windows; undefined if the system has none. */
export function openBrowser(...switches: string[]): Promise<Browser | undefined> {
  return launch(existsSync(SHELL) ? SHELL : WHOLE, switches);
}

/** Opens the whole Chromium, which keeps pages that are left as people's does. */
export function openWholeBrowser(...switches: string[]): Promise<Browser | undefined> {
  return launch(WHOLE, switches);
}

async function launch(executablePath: string, switches: readonly string[]): Promise<Browser | undefined> {
  if (!existsSync(executablePath)) return undefined;
  return chromium.launch({
    executablePath,
    args: [...SWITCHES.split(" "), ...switches],
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
}

/** Whether a test has its browser. */
export function needsBrowser(test: TestContext, browser: Browser | undefined): browser is Browser {
  return needs(test, "Chromium", browser !== undefined, "apt-get install chromium");
}

interface InBrowserOptions {
  readonly concurrency?: number | boolean;
  /** More switches for the browser. */
  readonly switches?: readonly string[];
}

type ItInBrowser = (title: string, body: (browser: Browser, test: TestContext) => Promise<void>) => void;

/** A suite whose tests share a browser, which each of them is given. */
export function describeInBrowser(title: string, options: InBrowserOptions, define: (it: ItInBrowser) => void): void {
  const { switches = [], concurrency = 1 } = options;
  void describe(title, { concurrency }, () => {
    let browser: Browser | undefined;
    before(async () => {
      browser = await openBrowser(...switches);
    });
    after(() => browser?.close());
    define((name, body) => {
      void it(name, async (test) => {
        if (needsBrowser(test, browser)) await body(browser, test);
      });
    });
  });
}

/** A page with a note of everything that should not happen in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors in its console and its scripts, violations of its policy, dialogs, and requests to elsewhere. */
  readonly complaints: string[];
}

export async function watchedPage(browser: Browser, origin: string): Promise<WatchedPage> {
  const context = await browser.newContext();
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
  const page = await context.newPage();
  await delayFrames(page, Number(process.env["LATE_FRAMES"] ?? 0));
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss().catch(() => {});
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) complaints.push(`request: ${url}`);
  });
  await page.exposeFunction("complain", (text: string) => complaints.push(`policy: ${text}`));
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => complain(event.violatedDirective + ' ' + event.blockedURI))",
  );
  return { page, complaints };
}

/** Has scripts of a page get each frame so many milliseconds late, as on a machine that is busy. */
export async function delayFrames(page: Page, milliseconds: number): Promise<void> {
  if (milliseconds === 0) return;
  await page.addInitScript(`
    const frame = requestAnimationFrame;
    requestAnimationFrame = (callback) => setTimeout(() => frame(callback), ${milliseconds});
    cancelAnimationFrame = clearTimeout;`);
}
