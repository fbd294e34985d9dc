import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { needsBrowser, openWholeBrowser } from "../support/browser.ts";
import { ClientPages } from "../support/client-page.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const TABS = 10;

/** A tab that reads `a` with the others and keeps what it gets. */
class Tab {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  static async open(pages: ClientPages, context: BrowserContext, hub: string, options: object = {}): Promise<Tab> {
    const page = await pages.page(context);
    await page.evaluate(`
      globalThis.got = [];
      globalThis.hub = client.connect(${JSON.stringify(hub)}, ${JSON.stringify({ retry: 20, ...options })});
      globalThis.reader = hub.subscribe(["a", "b.*"], {
        onMessage: ({ data }) => got.push(data),
        onGap: () => got.push("gap"),
      });
      reader.ready`);
    return new Tab(page);
  }

  /** Goes back from elsewhere to the page as it was left. */
  async back(): Promise<void> {
    // What it was is there again without a load, which nobody can wait for.
    await this.page.evaluate("history.back()");
    await until("it is shown again", () => this.page.evaluate<boolean>("'hub' in globalThis").catch(() => false));
  }

  got(): Promise<unknown[]> {
    return this.page.evaluate("got");
  }

  /** Whether this tab holds the lock. */
  leads(): Promise<boolean> {
    // The one lock that has no tab's name, and whose holder is this very page.
    return this.page.evaluate(`(async () => {
      const { held } = await navigator.locks.query();
      const own = held.find(({ name }) => name.endsWith(" true"));
      const mine = held.filter(({ clientId }) => clientId === own?.clientId);
      const probe = "probe " + Math.random();
      return navigator.locks.request(probe, async () => {
        const { held: now } = await navigator.locks.query();
        return now.find(({ name }) => name === probe).clientId === own?.clientId && mine.length > 0;
      });
    })()`);
  }
}

async function leaderOf(tabs: readonly Tab[]): Promise<Tab> {
  let leader: Tab | undefined;
  await until("one leads", async () => {
    const leads = await Promise.all(tabs.map((tab) => tab.leads()));
    leader = tabs[leads.indexOf(true)];
    return leader !== undefined;
  });
  return leader as Tab;
}

async function allGot(tabs: readonly Tab[], expected: readonly unknown[]): Promise<void> {
  await until("all have it", async () => {
    const got = await Promise.all(tabs.map((tab) => tab.got()));
    return got.every((data) => data.length >= expected.length);
  });
  for (const tab of tabs) assert.deepEqual(await tab.got(), expected);
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

describe("tabs of one origin", { concurrency: 3 }, () => {
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

  it("ten tabs are live over one connection, and go on without loss when the one that leads is closed", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open();
    const { control, front } = rig;
    const context = await browser.newContext();
    let tabs = await Promise.all(Array.from({ length: TABS }, () => Tab.open(pages, context, front.url)));
    await control.publishMany("a", 20);
    await allGot(tabs, numbers(20));
    assert.equal(await control.readers(), 1);
    for (let round = 0; round < 3; round++) {
      const leader = await leaderOf(tabs);
      const closing = round === 1 ? crash(leader) : leader.page.close();
      await Promise.all([control.publishMany("a", 20, 20 + 20 * round), closing]);
      tabs = tabs.filter((tab) => tab !== leader);
      await allGot(tabs, numbers(40 + 20 * round));
      await control.untilReaders(1);
    }
    await context.close();
    await control.untilReaders(0);
  });

  it("a tab that comes later, or begins earlier, gets all of its messages, and the others theirs once", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open();
    const { control, front } = rig;
    const context = await browser.newContext();
    const first = await Tab.open(pages, context, front.url);
    await control.publishMany("a", 10);
    await allGot([first], numbers(10));
    const second = await Tab.open(pages, context, front.url);
    await second.page.evaluate(`
      globalThis.all = [];
      globalThis.everything = hub.subscribe("a", { after: "earliest", onMessage: ({ data }) => all.push(data) });
      everything.ready`);
    await control.publishMany("a", 10, 10);
    await allGot([first], numbers(20));
    await allGot([second], numbers(10, 10));
    await until("it has all", async () => (await second.page.evaluate<number>("all.length")) === 20);
    assert.deepEqual(await second.page.evaluate("all"), numbers(20));
    await control.untilReaders(1);
    await context.close();
  });

  it("a page that is left and kept lets another lead, and has missed nothing when it is shown again", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open();
    const { control, front } = rig;
    const context = await browser.newContext();
    const tabs = [await Tab.open(pages, context, front.url), await Tab.open(pages, context, front.url)];
    const left = await leaderOf(tabs);
    const [other] = tabs.filter((tab) => tab !== left) as [Tab];
    await control.publish("a", 0);
    await allGot(tabs, [0]);
    // From here on Chromium has it in its cache of pages, frozen.
    await left.page.goto(`${pages.url}?elsewhere`);
    assert.equal(await leaderOf([other]), other);
    await control.publish("a", 1);
    await allGot([other], [0, 1]);
    await left.back();
    await allGot([left], [0, 1]);
    await control.publish("a", 2);
    await allGot(tabs, [0, 1, 2]);
    await control.untilReaders(1);
    await context.close();
  });

  for (const transport of ["sse", "websocket"]) {
    for (const share of [true, false]) {
      const way = `${transport}, ${share ? "shared" : "by itself"}`;
      it(`a page comes back from the cache of pages and from being offline without loss: ${way}`, async (test) => {
        if (!needsBrowser(test, browser)) return;
        await using rig = await HubRig.open();
        const { control, front } = rig;
        const context = await browser.newContext();
        const tab = await Tab.open(pages, context, front.url, { transport, share });
        await control.publish("a", 0);
        await allGot([tab], [0]);
        await tab.page.goto(`${pages.url}?elsewhere`);
        await control.untilReaders(0);
        await control.publish("a", 1);
        await tab.back();
        await allGot([tab], [0, 1]);
        await control.untilReaders(1);
        await context.setOffline(true);
        await control.publish("a", 2);
        await context.setOffline(false);
        await allGot([tab], [0, 1, 2]);
        await context.close();
      });
    }
  }

  it("a leading tab that hangs loses its place, and takes part again when it has come to itself", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open({ heartbeat: 0.2 });
    const { control, front } = rig;
    const context = await browser.newContext();
    const options = { silence: 800 };
    const tabs = [
      await Tab.open(pages, context, front.url, options),
      await Tab.open(pages, context, front.url, options),
    ];
    const hung = await leaderOf(tabs);
    const [other] = tabs.filter((tab) => tab !== hung) as [Tab];
    const hanging = hung.page.evaluate("{ const end = Date.now() + 2500; while (Date.now() < end); }");
    await control.publish("a", 0);
    await allGot([other], [0]);
    await hanging;
    await control.publish("a", 1);
    await allGot(tabs, [0, 1]);
    await control.untilReaders(1);
    await context.close();
  });

  it("all tabs end with the error that ends the connection, and all see that it waits", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open();
    const { control, front } = rig;
    const context = await browser.newContext();
    const tabs = [await Tab.open(pages, context, front.url), await Tab.open(pages, context, front.url)];
    await control.stop();
    for (const { page } of tabs) {
      await until("it waits", () =>
        page.evaluate<boolean>(`hub.state.kind === "waiting" && hub.state.error instanceof client.HubClientError`),
      );
    }
    await control.answer("GET /", 403);
    for (const { page } of tabs) {
      await until("it is over", () => page.evaluate<boolean>(`hub.state.kind === "closed"`));
      assert.deepEqual(await page.evaluate("[hub.state.error.code, hub.state.error.final]"), ["FORBIDDEN", true]);
    }
    await control.start();
    await context.close();
  });

  it("a tab wakes at once when the network or its user comes back", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using rig = await HubRig.open();
    const { control, front } = rig;
    const context = await browser.newContext();
    // Nobody would wait for so long.
    const tab = await Tab.open(pages, context, front.url, { retry: 600_000, retryMost: 600_000, share: false });
    const words = [`dispatchEvent(new Event("online"))`, `document.dispatchEvent(new Event("visibilitychange"))`];
    for (const [n, word] of words.entries()) {
      await control.cut();
      await until("it waits", () => tab.page.evaluate<boolean>(`hub.state.kind === "waiting"`));
      await control.publish("a", n);
      await tab.page.evaluate(word);
      await allGot([tab], numbers(n + 1));
    }
    await context.close();
  });
});

/** Ends the process of a page without a word to it. */
async function crash({ page }: Tab): Promise<void> {
  const gone = new Promise((resolve) => page.once("crash", resolve));
  const session = await page.context().newCDPSession(page);
  void session.send("Page.crash").catch(() => {});
  await gone;
}
