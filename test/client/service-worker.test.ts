import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { HubRig } from "../support/hub-rig.ts";

const CLIENT = join(import.meta.dirname, "../../public/client/client.js");
/** Publishes over a connection and resolves with what comes of that, and the states on the way. */
const WORKER = `
import { connect } from "/client.js";
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => event.waitUntil(use(event)));
async function use({ data: { url, ...options }, source }) {
  const hub = connect(url, options);
  const states = [];
  hub.onState(({ kind }) => states.push(kind));
  const messages = hub.subscribe("a");
  await messages.ready;
  await hub.publish("a", options);
  for await (const { data } of messages) {
    hub.close();
    return source.postMessage([data, states]);
  }
}`;
const FILES: Readonly<Record<string, readonly [type: string, text: () => string]>> = {
  "/": ["text/html", () => "<!doctype html><title>page</title>"],
  "/worker.js": ["text/javascript", () => WORKER],
  "/client.js": ["text/javascript", () => readFileSync(CLIENT, "utf8")],
};

describe("in a service worker", () => {
  it(
    "the client publishes and reads, over SSE and WebSocket, alone and with tabs",
    { timeout: 60_000 },
    async (test) => {
      await using browser = await openBrowser();
      if (!needsBrowser(test, browser)) return;
      await using rig = await HubRig.open();
      await using host = createServer(({ url = "" }, response) => {
        const [type, text] = FILES[url] ?? ["text/plain", () => ""];
        response.setHeader("content-type", type).end(text());
      }).listen(0, "127.0.0.1");
      await once(host, "listening");
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(host.address() as AddressInfo).port}/`);
      await page.evaluate(`navigator.serviceWorker.register("/worker.js", { type: "module" })`);
      for (const transport of ["sse", "websocket"]) {
        for (const share of [false, true]) {
          const options = { transport, share };
          const [data, states] = await page.evaluate<[unknown, string[]]>(`navigator.serviceWorker.ready.then(
          ({ active }) => new Promise((resolve) => {
            navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
            navigator.serviceWorker.startMessages();
            active.postMessage(${JSON.stringify({ url: rig.front.url, ...options })});
          }))`);
          assert.deepEqual(data, options);
          assert.deepEqual([states[0], states.includes("live"), states.at(-1)], ["connecting", true, "closed"]);
        }
      }
      await rig.control.untilReaders(0);
      host.closeAllConnections();
    },
  );
});
