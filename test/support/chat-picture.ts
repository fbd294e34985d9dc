import { join } from "node:path";
import type { Browser } from "playwright-core";
import { channelName } from "../../src/core/channel.ts";
import { startServer, type TestServer } from "./server.ts";
import { until } from "./until.ts";

const DAY = 24 * 60 * 60_000;
const MINUTE = 60_000;

/** What was said, in minutes before now. */
const SAID: readonly (readonly [minutes: number, sender: string, data: unknown, more?: string])[] = [
  [DAY / MINUTE + 62, "Ines", "The new labels are printed. Who takes the first pallet on Thursday?"],
  [DAY / MINUTE + 60, "Tomasz", "I do. 6:30 at the ramp."],
  [94, "order-service", { order: 20417, status: "paid" }, "?event=order"],
  [93, "stock-agent", "Order 20417: the lamp is in Gdańsk, the shade only in Lyon. Shall I split it?", "tool"],
  [90, "Ines", "Yes, split it. The customer wants the lamp first."],
  [89, "stock-agent", "Done: the lamp leaves today. Tracking: https://parcels.example/20417", "tool"],
  [12, "Tomasz", "Ramp camera is back, by the way.\nThe old firmware did not like the cold."],
  [4, "Marta", "وصلت الشاحنة الثانية"],
  [3, "Marta", "Second truck is here, dock 2 is free again."],
];

/** Takes the picture of the docs; with a folder, those at desktop and phone width, in light and dark, go there. */
export async function takeChat(browser: Browser, docs: string, all?: string): Promise<void> {
  await take(browser, "light", { width: 1280, height: 800 }, join(docs, "chat.png"));
  if (all === undefined) return;
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [width, height] of [
      [1280, 800],
      [375, 812],
    ] as const) {
      await take(browser, colorScheme, { width, height }, join(all, `chat-${width}-${colorScheme}.png`));
    }
  }
}

/** A working day in the channel of a warehouse, as PNG at a path. */
async function take(
  browser: Browser,
  colorScheme: "light" | "dark",
  viewport: { readonly width: number; readonly height: number },
  path: string,
): Promise<void> {
  const { now } = Date;
  let shift = 0;
  Date.now = () => now() + shift;
  try {
    await using server = await startServer();
    const context = await browser.newContext({ viewport, colorScheme, locale: "en-GB" });
    const page = await context.newPage();
    const origin = new URL(server.url).origin;
    await context.addInitScript(
      `if (location.origin === ${JSON.stringify(origin)} && localStorage["chat.nickname"] === undefined) {
        localStorage["chat.nickname"] = '"Ines"';
        localStorage["chat.channels"] = '["default","orders.eu","ramp","review"]';
      }`,
    );
    for (const channel of ["default", "deploys", "orders.us", "ramp", "review"]) {
      shift = -2 * DAY;
      await server.publish(channel, "Good morning");
    }
    for (const [minutes, sender, data, more = ""] of SAID) {
      shift = -minutes * MINUTE;
      await say(server, "orders.eu", sender, data, more);
    }
    shift = 0;
    using _ = await server.events("?channel=orders.eu,ramp");
    using __ = await server.events("?channel=orders.eu");
    await page.goto(`${server.url}/chat#orders.eu`);
    await page
      .locator("#rows .row")
      .nth(SAID.length - 1)
      .waitFor();
    await until("it watches", () => server.hub.index.readers(channelName("ramp")) === 2);
    for (const sender of ["Marta", "Tomasz"]) await present(server, sender);
    for (const data of ["Door 4 is open", "Door 4 is closed", "Next truck 14:20"])
      await say(server, "ramp", "gate", data);
    await page.fill("#text", "Thanks, Marta! I am on my way");
    await page.locator("#readers", { hasText: "3 readers" }).filter({ hasText: "Tomasz" }).waitFor();
    await until("it is counted", async () =>
      (await page.locator("#mine .count").allInnerTexts()).join("").startsWith("3"),
    );
    await page.screenshot({ path });
    await context.close();
  } finally {
    Date.now = now;
  }
}

async function say(server: TestServer, channel: string, sender: string, data: unknown, more = ""): Promise<void> {
  if (more === "tool") {
    await server.call("send_sse_message", { channel, message: data, sender });
    return;
  }
  const query = `${more === "" ? "?" : `${more}&`}sender=${encodeURIComponent(sender)}`;
  const post = { method: "POST", body: JSON.stringify(data), headers: { "content-type": "application/json" } };
  await server.request(`/channels/${channel}/messages${query}`, post);
}

function present(server: TestServer, sender: string): Promise<void> {
  return say(server, "hub.presence.orders.eu", sender, { state: "here" }, "?event=presence&ephemeral=true");
}
