import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { describeInBrowser } from "../support/browser.ts";
import { openSdkClient, type SdkClient } from "../support/mcp-clients.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const CHANNEL = "talk";
/** Messages that each of the four who speak sends. */
const LINES = 40;
const TOTAL = 4 * LINES;

interface Heard {
  readonly id: string;
  readonly data: string;
  readonly sender: string;
}

describeInBrowser("a conversation", {}, (it) => {
  it("of two agents, a page and a service is the same for all: in one order, none twice, none missing", async (browser) => {
    await using server = await startServer();
    await using modern = await openSdkClient("v2 in auto mode", server.url);
    await using legacy = await openSdkClient("v1", server.url);
    const page = await browser.newPage();
    await page.goto(`${server.url}/`);
    await page.evaluate(JOIN);
    // Everybody is there before the first word, and what follows is missed by nobody.
    const start = server.hub.cursor();
    await page.evaluate("speak()");

    let served = 0;
    let said: Promise<unknown> = Promise.resolve();
    /** The service speaks while an agent is not waiting, one line after the other. */
    const interrupt = (): Promise<unknown> => {
      if (served === LINES) return said;
      const line = `service ${served++}`;
      return (said = said.then(() => server.publish(CHANNEL, line)));
    };
    const [first, second] = await Promise.all([
      agent(modern, "modern", start, interrupt),
      agent(legacy, "legacy", start, interrupt),
    ]);
    await until("the page has heard all", async () => (await heardBy(page)).length >= TOTAL);
    const third = await heardBy(page);

    assert.equal(first.length, TOTAL);
    assert.deepEqual(second, first);
    assert.deepEqual(third, first);
    assert.equal(new Set(first.map(({ id }) => id)).size, TOTAL);
    for (const sender of ["modern", "legacy", "page", "anyone"]) {
      const name = sender === "anyone" ? "service" : sender;
      assert.deepEqual(
        first.filter((line) => line.sender === sender).map(({ data }) => data),
        Array.from({ length: LINES }, (_, index) => `${name} ${index}`),
      );
    }
  });
});

/** Waits and answers, again and again, until it has heard everything. */
async function agent(
  client: SdkClient,
  name: string,
  start: string,
  interrupt: () => Promise<unknown>,
): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  let next = start;
  let said = 0;
  while (heard.length < TOTAL) {
    if (said < LINES) {
      await client.call("send_sse_message", { channel: CHANNEL, message: `${name} ${said++}`, sender: name });
    }
    await interrupt();
    const input = { channels: [CHANNEL], after: next, timeoutSeconds: 10 };
    const { structuredContent } = await client.call("wait_for_messages", input);
    const page = structuredContent as unknown as { messages: readonly Heard[]; next: string; gap: unknown };
    assert.equal(page.gap, null);
    assert.notEqual(page.messages.length, 0, `${name} has heard ${heard.length} of ${TOTAL}`);
    heard.push(...page.messages.map(({ id, data, sender }) => ({ id, data, sender })));
    ({ next } = page);
  }
  return heard;
}

function heardBy(page: Page): Promise<readonly Heard[]> {
  return page.evaluate<readonly Heard[]>("heard");
}

/** A page that listens, and says its next line whenever it has heard one. */
const JOIN = `
  var heard = [];
  var said = 0;
  function speak() {
    if (said === ${LINES}) return;
    const body = JSON.stringify("page " + said++);
    return fetch("/channels/${CHANNEL}/messages?sender=page", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
  }
  new Promise((resolve) => {
    const source = new EventSource("/events?channel=${CHANNEL}&format=json");
    source.onopen = resolve;
    source.onmessage = ({ data, lastEventId }) => {
      const { data: text, sender } = JSON.parse(data);
      heard.push({ id: lastEventId, data: text, sender });
      if (sender === "page") speak();
    };
  });
`;
