import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, Frame, Page } from "playwright-core";
import { needsBrowser, openWholeBrowser } from "../support/browser.ts";
import { ClientPages } from "../support/client-page.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const DENY = `() => { throw new DOMException("denied", "SecurityError"); }`;

/** Reads `a`, and keeps what it gets. */
function reading(hub: string, options: object = {}): string {
  return `
    globalThis.got = [];
    globalThis.hub = client.connect(${JSON.stringify(hub)}, ${JSON.stringify({ retry: 20, ...options })});
    hub.subscribe("a", { onMessage: ({ data }) => got.push(data) }).ready`;
}

async function got(page: Page | Frame, expected: readonly unknown[]): Promise<void> {
  await until("it has it", async () => (await page.evaluate<number>("got.length")) >= expected.length);
  assert.deepEqual(await page.evaluate("got"), expected);
}

describe("a page that the browser denies what tabs share with", { concurrency: 3 }, () => {
  let browser: Browser | undefined;
  let pages: ClientPages;
  before(async () => {
    browser = await openWholeBrowser();
    pages = await ClientPages.open();
  });
  after(async () => {
    await browser?.close();
    await pages[Symbol.asyncDispose]();
  });

  it(
    "a page has a connection of its own in a sandboxed frame, and comes back after a cut",
    { timeout: 30_000 },
    async (test) => {
      if (!needsBrowser(test, browser)) return;
      await using rig = await HubRig.open({ allowedOrigins: ["null"] });
      const page = await pages.page(await browser.newContext());
      const errors: string[] = [];
      page.on("pageerror", ({ message }) => errors.push(message));
      // A frame without an origin of its own loads modules as another origin does.
      await page.route(/\/(?:src|node_modules)\//, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, headers: { ...response.headers(), "access-control-allow-origin": "*" } });
      });
      await page.evaluate(`new Promise((loaded) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.src = ${JSON.stringify(pages.url)};
      frame.onload = loaded;
      document.body.append(frame);
    })`);
      const frame = page.frames()[1] as Frame;
      const denied = `navigator.locks.request("x", () => {}).catch(({ name }) => name)`;
      assert.equal(await frame.evaluate(denied), "SecurityError");
      await frame.evaluate(`import("/src/client/index.ts").then((client) => { globalThis.client = client; })`);
      await frame.evaluate(reading(rig.front.url));
      await rig.control.publish("a", 0);
      await got(frame, [0]);
      await rig.control.cut();
      await rig.control.publish("a", 1);
      await got(frame, [0, 1]);
      assert.equal(await rig.control.readers(), 1);
      await frame.evaluate("hub.close()");
      await rig.control.untilReaders(0);
      assert.deepEqual(errors, []);
    },
  );

  for (const [what, denial] of [
    ["locks", `navigator.locks.request = async ${DENY}`],
    ["channels", `globalThis.BroadcastChannel = class { constructor() { (${DENY})(); } }`],
  ] as const) {
    it(
      `a page goes on alone without ${what}, and does not disturb those that share`,
      { timeout: 30_000 },
      async (test) => {
        if (!needsBrowser(test, browser)) return;
        await using rig = await HubRig.open();
        const { control, front } = rig;
        const context = await browser.newContext();
        const [one, other, alone] = await Promise.all([pages.page(context), pages.page(context), pages.page(context)]);
        const errors: string[] = [];
        alone.on("pageerror", ({ message }) => errors.push(message));
        for (const page of [one, other]) await page.evaluate(reading(front.url));
        await alone.evaluate(denial);
        await alone.evaluate(reading(front.url));
        await control.untilReaders(2);
        await control.publish("a", 0);
        for (const page of [one, other, alone]) await got(page, [0]);
        await one.close();
        await control.publish("a", 1);
        for (const page of [other, alone]) await got(page, [0, 1]);
        await alone.goto(`${pages.url}?elsewhere`);
        await control.untilReaders(1);
        await control.publish("a", 2);
        await alone.evaluate("history.back()");
        await until("it is shown again", () => alone.evaluate<boolean>("'hub' in globalThis").catch(() => false));
        for (const page of [other, alone]) await got(page, [0, 1, 2]);
        await alone.evaluate("hub.close()");
        await control.untilReaders(1);
        assert.deepEqual(errors, []);
        await context.close();
      },
    );
  }
});
