import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { ClientPages } from "../support/client-page.ts";
import { HubRig, type HubControl } from "../support/hub-rig.ts";
import { behaviours, WAYS } from "./behaviours.ts";

// Few at once: with many handshakes of WebSockets under way, Chromium holds each back for seconds.
describe("in Chromium", { concurrency: 8 }, () => {
  const rigs: HubRig[] = [];
  let browser: Browser | undefined;
  let pages: ClientPages;
  let page: Page;
  before(async () => {
    browser = await openBrowser();
    pages = await ClientPages.open();
    if (browser === undefined) return;
    page = await pages.page(await browser.newContext());
    await page.exposeFunction("control", (rig: number, order: keyof HubControl, given: unknown[]) =>
      ((rigs[rig] as HubRig).control[order] as (...given: unknown[]) => Promise<unknown>)(...given),
    );
  });
  after(async () => {
    await browser?.close();
    await pages[Symbol.asyncDispose]();
  });

  for (const { name, transport, share } of WAYS) {
    for (const { title, config } of behaviours) {
      it(`the client over ${name} ${title}`, { timeout: 30_000 }, async (test) => {
        if (!needsBrowser(test, browser)) return;
        await using rig = await HubRig.open(config);
        const number = rigs.push(rig) - 1;
        const world = { url: rig.front.url, transport, share };
        await page.evaluate(`import("/test/client/behaviours.ts").then(({ behaviours }) => {
          const hub = new Proxy({}, { get: (_, order) => (...given) => control(${number}, order, given) });
          const { run } = behaviours.find(({ title }) => title === ${JSON.stringify(title)});
          return run({ client, hub, ...${JSON.stringify(world)} });
        })`);
      });
    }
  }
});
