import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Page } from "playwright-core";
import { openWholeBrowser } from "./browser.ts";
import { startServer, type TestServer } from "./server.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

interface Picture {
  readonly path: string;
  readonly file: string;
  /** Resolves when there is something to see. */
  readonly ready: (page: Page) => Promise<unknown>;
}

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 375, height: 812 };
/** Milliseconds of something going on: the plots are full then. */
const LONG = 40_000;
const PICTURES: readonly Picture[] = [
  { path: "/", file: "start-page.png", ready: (page) => page.locator("#messages li").nth(4).waitFor() },
  { path: "/dashboard", file: "dashboard.png", ready: () => wait(LONG) },
];
/** What people and their agents say, in turn. */
const SAID: readonly (readonly [channel: string, sender: string, text: string])[] = [
  ["default", "Grace", "Good morning everyone"],
  ["review", "deploy-agent", "All checks passed. May I deploy 1.4.2 to production?"],
  ["default", "Ada", "Morning! Release day, I am watching the dashboard"],
  ["review", "Ada", "Yes, go ahead"],
  ["default", "report-agent", "The report of yesterday: 1,204 orders, 3 of them returned"],
  ["review", "deploy-agent", "1.4.2 runs on all twelve machines"],
  ["default", "Linus", "Checkout feels faster already"],
  ["default", "Grace", "It is: half the time since this morning"],
];

/** What machines say. */
function measured(turn: number): readonly [channel: string, sender: string, event: string, data: unknown] {
  const order = 4711 + turn;
  const state = ["placed", "paid", "shipped"][turn % 3];
  const total = Math.round(Math.random() * 20_000) / 100;
  const degrees = `${(20 + Math.random() * 2).toFixed(1)} °C`;
  const kinds = [
    [turn % 4 === 0 ? "orders.us" : "orders.eu", "shop", "order", { order, state, total }],
    [`sensors.hall-${1 + (turn % 2)}`, "thermometer", "message", degrees],
    ["builds", "ci", "message", `main is green: 812 tests in ${38 + (turn % 7)} s`],
  ] as const;
  return kinds[Math.floor(Math.random() ** 2 * kinds.length)] ?? kinds[0];
}

/** Publishes as services, agents and people would, until it is aborted. */
async function converse(server: TestServer, signal: AbortSignal): Promise<void> {
  const say = async (channel: string, sender: string, event: string, data: unknown): Promise<void> => {
    const query = new URLSearchParams({ sender, event }).toString();
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(data);
    await server.request(`/channels/${channel}/messages?${query}`, { method: "POST", headers, body });
  };
  for (let turn = 0; !signal.aborted; turn++) {
    const [channel, sender, text] = SAID[Math.floor(turn / 6) % SAID.length] ?? ["", "", ""];
    if (turn % 6 === 0) await say(channel, sender, "message", text);
    // Now more, now less.
    const lively = 1 + Math.round(4 + 4 * Math.sin(turn / 9));
    for (let message = 0; message < lively; message++) await say(...measured(turn * 10 + message));
    await wait(200);
  }
}

/** Has readers come and go, now and then more than may. */
async function come(server: TestServer, signal: AbortSignal): Promise<void> {
  const readers: Disposable[] = [];
  for (let turn = 0; !signal.aborted; turn++) {
    const pattern = ["*", "orders.*", "default", "sensors.*"][turn % 4];
    if (turn % 3 === 0)
      readers.push(await server.frames(`?channel=${pattern}`).catch(() => ({ [Symbol.dispose]() {} })));
    else readers.push(await server.events(`?channel=${pattern}`));
    void server.call("wait_for_messages", { channels: ["tasks"], timeoutSeconds: 3 }).catch(() => {});
    if (turn % 11 === 10) for (const reader of readers.splice(4)) reader[Symbol.dispose]();
    await wait(1500);
  }
}

/** Takes the start page and the dashboard of a server with something going on; with `all`, every look of them, too. */
export async function takeServer(docs: string, all: string | undefined): Promise<void> {
  using folder = new TemporaryFolder();
  const logs = { logLevel: "debug", logFile: folder.file("hub.log") } as const;
  await using server = await startServer({ data: `file:${folder.file("hub.db")}`, maxConnections: 17, ...logs });
  // So that the pages say the address that people will have.
  const browser = await openWholeBrowser(`--host-resolver-rules=MAP localhost:8000 127.0.0.1:${server.port}`);
  if (browser === undefined) throw new Error("there is no Chromium; apt-get install chromium");
  const end = new AbortController();
  const going = [converse(server, end.signal), come(server, end.signal)];
  for (const { path, file, ready } of PICTURES) {
    const page = await browser.newPage({ viewport: DESKTOP });
    await page.goto(`http://localhost:8000${path}`);
    await ready(page);
    await page.screenshot({ path: join(docs, file) });
    if (all !== undefined) await takeLooks(page, join(all, file.replace(".png", "")));
    await page.close();
  }
  end.abort();
  await Promise.all(going);
  await browser.close();
}

/** Light and dark, wide and narrow. */
async function takeLooks(page: Page, path: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const size of [DESKTOP, PHONE]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      // Until it is laid out, and the next second is drawn.
      await wait(1500);
      await page.screenshot({ path: `${path}-${size.width}-${colorScheme}.png` });
      await page.screenshot({ path: `${path}-${size.width}-${colorScheme}-full.png`, fullPage: true });
    }
  }
}
