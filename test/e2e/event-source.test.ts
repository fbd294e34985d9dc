import assert from "node:assert/strict";
import { after, describe, it, type TestContext } from "node:test";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** What the page keeps of each of its sources. */
interface Source {
  readonly readyState: number;
  readonly got: readonly string[];
}

const SOURCES = 6;

const OPEN = `globalThis.sources = Array.from({ length: ${SOURCES} / 2 }, () => {
  const source = new EventSource("/events");
  source.got = [];
  source.onmessage = ({ data }) => source.got.push(data);
  return source;
});`;

describe("an EventSource in a browser", async () => {
  const browser = await openBrowser();
  after(() => browser?.close());

  it("[SSE-11] comes back by itself over a restart, while the server stops and after it, and misses nothing", (test) =>
    restart(test, false));

  it("[SSE-51] does so with a compressed stream, too", (test) => restart(test, true));

  async function restart(test: TestContext, compressStreams: boolean): Promise<void> {
    if (!needsBrowser(test, browser)) return;
    using folder = new TemporaryFolder();
    const settings = { data: `file:${folder.file()}`, compressStreams };
    // Long enough for those that are ended first to come back before it is over.
    let server = await startServer({ ...settings, drain: 6 });
    const { port } = server;
    const pages = await Promise.all([1, 2].map(async () => (await browser.newContext()).newPage()));
    try {
      for (const page of pages) {
        await page.goto(`${server.url}/health/live`);
        await page.evaluate(OPEN);
      }
      await until("all read", () => server.hub.size === SOURCES);
      await server.publish("default", "before");
      await server.close();
      server = await startServer({ ...settings, port });
      await server.publish("default", "while they were away");
      const sources = async (): Promise<readonly Source[]> => {
        const read = "sources.map(({ readyState, got }) => ({ readyState, got }))";
        return (await Promise.all(pages.map((page) => page.evaluate<readonly Source[]>(read)))).flat();
      };
      await until("all are back", async () => {
        const all = await sources();
        assert.ok(
          all.every(({ readyState }) => readyState !== 2),
          "none is closed for good",
        );
        return all.every(({ got }) => got.length === 2);
      });
      await server.publish("default", "after");
      const whole = ["before", "while they were away", "after"];
      await until("all go on", async () => (await sources()).every(({ got }) => got.join() === whole.join()));
    } finally {
      for (const page of pages) await page.context().close();
      await server[Symbol.asyncDispose]();
    }
  }

  it("[SSE-9] that was cut for being slow comes back with its last id", async (test) => {
    if (!needsBrowser(test, browser)) return;
    await using server = await startServer();
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${server.url}/health/live`);
    await page.evaluate(OPEN);
    await until("all read", () => server.hub.size === SOURCES / 2);
    await server.publish("default", "before");
    await until("it is there", async () => (await page.evaluate("sources[0].got.length")) === 1);
    // As the hub does with a reader that leaves too much: the stream has no last chunk.
    for (let n = 0; n < SOURCES / 2; n++) server.sink(n)?.close("slow");
    await server.publish("default", "after");
    await until("all are back", async () => {
      return (
        (await page.evaluate("sources.map(({ got }) => got.join()).join(' ')")) ===
        "before,after before,after before,after"
      );
    });
    await page.context().close();
  });
});
