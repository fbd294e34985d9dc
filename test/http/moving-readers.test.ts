import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ENGINES, startEngine, type Engine } from "../support/redis.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const COUNT = 60;

/** What a reader got in one visit, and where it goes on. */
interface Visit {
  readonly data: readonly unknown[];
  readonly last: string;
}

/** Reads some messages after a cursor at a server, and leaves. */
type Door = (server: TestServer, last: string, most: number) => Promise<Visit>;

const DOORS: Readonly<Record<string, Door>> = {
  async "an EventSource"(server, lastEventId, most) {
    using reader = await server.events("?channel=orders.*", { lastEventId });
    const data: unknown[] = [];
    let last = lastEventId;
    while (data.length < most) {
      const { event, data: text, id } = await reader.next();
      if (event === "live") continue;
      assert.equal(event, "message");
      data.push(JSON.parse(text));
      last = id ?? last;
    }
    return { data, last };
  },

  async "a WebSocket"(server, lastEventId, most) {
    using reader = await server.frames(`?channel=orders.*&last_event_id=${lastEventId}`);
    const data: unknown[] = [];
    let last = lastEventId;
    while (data.length < most) {
      const frame = await reader.next();
      assert.notEqual(frame.type, "gap");
      if (frame.type !== "message") continue;
      data.push(frame["data"]);
      last = frame["id"] as string;
    }
    return { data, last };
  },

  async "a call that waits"(server, last) {
    const { structuredContent } = await server.call("wait_for_messages", { channels: ["orders.*"], after: last });
    assert.equal(structuredContent["gap"], null);
    const messages = structuredContent["messages"] as readonly { readonly data: unknown }[];
    return { data: messages.map(({ data }) => data), last: structuredContent["next"] as string };
  },
};

for (const kind of ENGINES) {
  describe(`a reader that moves between nodes on one ${kind}`, { concurrency: true }, () => {
    let engine: Engine;
    let hubs = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());

    for (const [name, door] of Object.entries(DOORS)) {
      it(`resumes exactly, as ${name}, while all of them publish and one of them lags`, async () => {
        const data = `${engine.url}?prefix=moving${kind}${++hubs}`;
        await using proxy = await TcpProxy.open(engine.port);
        await using one = await startServer({ data });
        await using two = await startServer({ data });
        await using late = await startServer({ data: data.replace(String(engine.port), String(proxy.port)) });
        proxy.treat({ delay: 40 });
        const nodes = [one, two, late];
        let { id: last } = await one.publish("orders.eu", "before");
        const publishing = (async () => {
          for (let n = 0; n < COUNT; n++) {
            await (nodes[n % 3] as TestServer).publish(n % 2 === 0 ? "orders.eu" : "orders.us", n);
            await one.publish("elsewhere", n);
          }
        })();
        const seen: unknown[] = [];
        for (let visit = 0; seen.length < COUNT; visit++) {
          const got = await door(
            nodes[(visit * 2) % 3] as TestServer,
            last,
            Math.min(1 + (visit % 4), COUNT - seen.length),
          );
          seen.push(...got.data);
          last = got.last;
        }
        await publishing;
        assert.deepEqual(
          seen,
          Array.from({ length: COUNT }, (_, n) => n),
        );
      });
    }
  });
}
