import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { EventReader } from "../support/event-reader.ts";
import { until } from "../support/until.ts";
import { unique } from "./checks.ts";
import type { Gateway } from "./gateway.ts";
import type { Nodes } from "./nodes.ts";

/** A gateway in front of a node that lets each address have two readers. */
export interface OneNode {
  readonly gateway: Gateway;
  readonly node: Nodes;
}

export const PER_ADDRESS = 2;
const SOURCES = 20;
/** Milliseconds for what a browser does late on a busy machine. */
const TIMEOUT = 90_000;

/** The hub counts clients by their own address, whatever they write into the headers that gateways use. */
export async function clientAddresses({ gateway, node }: OneNode): Promise<string> {
  const readers: Disposable[] = [];
  /** The status of one more reader. A bare `EventSource` would not be told that it is one too many. */
  const open = async (url: string, localAddress: string, headers: Record<string, string> = {}): Promise<number> => {
    const options = { localAddress, headers: { accept: "*/*", ...headers } };
    const reader = await EventReader.open(`${url}/events?channel=${unique()}`, options);
    readers.push(reader);
    return reader.status;
  };
  try {
    for (let n = 0; n < PER_ADDRESS; n++) assert.equal(await open(gateway.url, "127.0.0.2"), 200);
    assert.equal(await open(gateway.url, "127.0.0.2"), 503);
    const forged = ["198.51.100.7", "198.51.100.7, 127.0.0.1"];
    for (const address of forged)
      assert.equal(await open(gateway.url, "127.0.0.2", { "x-forwarded-for": address }), 503);
    assert.equal(await open(gateway.url, "127.0.0.2", { forwarded: "for=198.51.100.7" }), 503);
    assert.equal(await open(gateway.url, "127.0.0.3"), 200);
    // Who reaches the node without the gateway is not believed either.
    const { url } = node.server();
    const of = (n: number): Record<string, string> => ({ "x-forwarded-for": `198.51.100.${n}` });
    for (let n = 0; n < PER_ADDRESS; n++) assert.equal(await open(url, "127.0.0.9", of(n)), 200);
    assert.equal(await open(url, "127.0.0.9", of(PER_ADDRESS)), 503);
  } finally {
    for (const reader of readers) reader[Symbol.dispose]();
  }
  return "yes";
}

/** While the only node is away, a reader is answered with an empty stream by gateways that can do so. */
export async function emptyStream({ gateway, node }: OneNode): Promise<string> {
  await node.stop();
  using reader = await gateway.events(`?channel=${unique()}`);
  await reader.ended;
  assert.deepEqual([reader.ids, reader.waiting], [[], []]);
  if (!gateway.kind.answersForNodes) {
    assert.ok(reader.status >= 502, `${reader.status}`);
    return String(reader.status);
  }
  assert.deepEqual([reader.status, reader.headers["content-type"]?.split(";")[0]], [200, "text/event-stream"]);
  // Nothing else is told that all is well.
  assert.ok((await gateway.request("/channels")).status >= 502);
  return "empty stream";
}

/** What the page of a browser that has twenty `EventSource`s sees. */
export class SourcesPage {
  readonly #evaluate: <T>(script: string) => Promise<T>;
  readonly close: () => Promise<void>;

  private constructor(evaluate: <T>(script: string) => Promise<T>, close: () => Promise<void>) {
    this.#evaluate = evaluate;
    this.close = close;
  }

  /** Opens them on a channel. The browser does not know the authority that signed the gateway's certificate. */
  static async open(browser: Browser, gateway: Gateway, channel: string): Promise<SourcesPage> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${gateway.url}/`, { timeout: TIMEOUT });
    await page.evaluate(`
      globalThis.got = [];
      globalThis.errors = [];
      globalThis.sources = Array.from({ length: ${SOURCES} }, (_, n) => {
        const source = new EventSource("/events?channel=${channel}&n=" + n);
        got[n] = [];
        errors[n] = 0;
        source.onmessage = ({ data }) => got[n].push(data);
        source.onerror = () => { errors[n]++; };
        return source;
      })`);
    const opened = new SourcesPage(
      (script) => page.evaluate(script),
      () => context.close(),
    );
    await until("all are open", async () => (await opened.states()).every((state) => state === 1), TIMEOUT);
    return opened;
  }

  /** The `readyState` of each. */
  states(): Promise<readonly number[]> {
    return this.#evaluate("sources.map(({ readyState }) => readyState)");
  }

  /** How often the one that heard of it least was told that its stream had ended. */
  errors(): Promise<number> {
    return this.#evaluate("Math.min(...errors)");
  }

  /** The protocol that the page speaks with the gateway. */
  protocol(): Promise<string> {
    return this.#evaluate(`fetch("/health/live").then((response) => response.text()).then(() =>
      performance.getEntriesByType("resource").findLast(({ name }) => name.endsWith("/health/live")).nextHopProtocol)`);
  }

  /** Resolves when each has been given these messages, and nothing else. */
  async gets(data: readonly string[]): Promise<void> {
    const wanted = JSON.stringify(Array.from({ length: SOURCES }, () => data));
    await until(
      `each gets ${data.join(", ")}`,
      async () => (await this.#evaluate("JSON.stringify(got)")) === wanted,
      TIMEOUT,
    );
  }
}

/** Twenty `EventSource`s of one page get messages, which six connections would not let through. */
export async function manySources(page: SourcesPage, gateway: Gateway, channel: string): Promise<string> {
  assert.equal(await gateway.publish(channel, "first"), 201);
  await page.gets(["first"]);
  assert.equal(await page.protocol(), "h2");
  return `${SOURCES} over h2`;
}

/** While the only node is away, the sources come back until it is there again, and miss nothing. */
export async function returning(page: SourcesPage, { gateway, node }: OneNode, channel: string): Promise<string> {
  await node.stop();
  if (!gateway.kind.answersForNodes) {
    await until("they gave up", async () => (await page.states()).every((state) => state === 2), TIMEOUT);
    await node.start();
    return "gives up";
  }
  // The first is the end of the stream, the second an answer of the gateway.
  await until("all came back in vain", async () => (await page.errors()) >= 2, TIMEOUT);
  await node.start();
  await until("the gateway found the node", async () => (await gateway.publish(channel, "second")) === 201, TIMEOUT);
  await page.gets(["first", "second"]);
  return "comes back";
}
