import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SignJWT } from "jose";
import { connect, type HubClientError, type Hub } from "../../src/client/index.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const SECRET = "s".repeat(32);
const JWT = { jwtSecret: SECRET, jwtAudience: ["hub"] };
const TRANSPORTS = ["sse", "websocket"] as const;

/** A token of Ann's that is good for so many seconds. */
function signed(seconds: number, hub: object = { publish: ["*"], subscribe: ["*"] }): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ hub, name: "Ann" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("ann")
    .setAudience("hub")
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(new TextEncoder().encode(SECRET));
}

/** Reads a channel and keeps what comes. */
function collect(
  hub: Hub,
  channel: string,
): { readonly data: unknown[]; ended?: string | undefined; ready: Promise<void> } {
  const kept: { data: unknown[]; ended?: string | undefined; ready: Promise<void> } = {
    data: [],
    ready: Promise.resolve(),
  };
  kept.ready = hub.subscribe(channel, {
    onMessage: ({ data }) => kept.data.push(data),
    onEnd: (error) => (kept.ended = error?.code ?? "closed"),
  }).ready;
  kept.ready.catch(() => {});
  return kept;
}

async function codeOf(promise: Promise<unknown>): Promise<readonly [string, boolean]> {
  const error = (await promise.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  )) as HubClientError;
  return [error.code, error.final];
}

for (const transport of TRANSPORTS) {
  void describe(`a client with a token, over ${transport}`, { concurrency: true }, () => {
    it("reads, publishes and calls in its name", async () => {
      using keys = new KeyRing();
      const key = keys.add("ann", { publish: ["orders.*"], subscribe: ["orders.*"] });
      await using server = await startServer({ apiKeysFile: keys.path });
      await using hub = connect(server.url, { transport, token: () => key });
      const seen: unknown[] = [];
      await hub.subscribe("orders.*", { onMessage: ({ sender, verified }) => seen.push([sender, verified]) }).ready;
      await hub.publish("orders.eu", 1);
      await hub.publish("orders.eu", 2, { key: "once" });
      await until("both came", () => seen.length === 2);
      assert.deepEqual(seen, [
        ["ann", true],
        ["ann", true],
      ]);
      assert.ok((await hub.tools()).length > 0);
    });

    it("asks for the token again after a 401, once, and then says UNAUTHENTICATED and stops", async () => {
      using keys = new KeyRing();
      const key = keys.add("ann", { subscribe: ["a"] });
      await using server = await startServer({ apiKeysFile: keys.path });
      let asked = 0;
      {
        await using hub = connect(server.url, { transport, retry: 5, token: () => (asked++ === 0 ? "stale" : key) });
        const a = collect(hub, "a");
        await a.ready;
        assert.equal(a.ended, undefined);
      }
      asked = 0;
      await using hub = connect(server.url, {
        transport,
        retry: 5,
        token: () => Promise.resolve(`wrong-${asked++}`),
      });
      const a = collect(hub, "a");
      await until("it is over", () => hub.state.kind === "closed");
      const error = hub.state.kind === "closed" ? hub.state.error : undefined;
      assert.deepEqual(
        [error?.code, error?.final, error?.status, a.ended],
        ["UNAUTHENTICATED", true, 401, "UNAUTHENTICATED"],
      );
      assert.equal(asked, 2);
    });

    it("says FORBIDDEN of what the token may not, and goes on with the rest", async () => {
      using keys = new KeyRing();
      const key = keys.add("ann", { publish: ["a"], subscribe: ["a"] });
      await using server = await startServer({ apiKeysFile: keys.path });
      await using hub = connect(server.url, { transport, retry: 5, token: () => key });
      const a = collect(hub, "a");
      await a.ready;
      const b = collect(hub, "b");
      await until("it is refused", () => b.ended !== undefined);
      assert.equal(b.ended, "FORBIDDEN");
      assert.deepEqual(await codeOf(hub.publish("b", 1)), ["FORBIDDEN", true]);
      await hub.publish("a", 1);
      await until("the message", () => a.data.length === 1);
      assert.deepEqual([a.ended, hub.state.kind], [undefined, "live"]);
    });

    it("goes on with a newer token when one expires, and misses nothing", { timeout: 60_000 }, async () => {
      await using server = await startServer(JWT);
      let asked = 0;
      await using hub = connect(server.url, {
        transport,
        retry: 5,
        token: () => (asked++, signed(asked < 3 ? 4 : 600)),
      });
      const a = collect(hub, "a");
      await a.ready;
      const first = asked;
      const states: string[] = [];
      hub.onState(({ kind }) => states.push(kind));
      let sent = 0;
      await until("it has asked for newer ones", async () => {
        await server.hub.publish({ channel: "a", event: "message", data: String(sent++), sender: "x" } as never);
        return asked >= first + 2;
      });
      await until("all came", () => a.data.length === sent);
      assert.deepEqual(
        a.data,
        Array.from({ length: sent }, (_, index) => index),
      );
      assert.equal(a.ended, undefined);
    });
  });
}

void describe("a client without a token", () => {
  it("is told UNAUTHENTICATED and does not try again", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path });
    for (const transport of TRANSPORTS) {
      await using hub = connect(server.url, { transport, retry: 5 });
      const a = collect(hub, "a");
      await until("it is over", () => hub.state.kind === "closed");
      assert.equal(a.ended, "UNAUTHENTICATED", transport);
      await using other = connect(server.url, { transport });
      assert.deepEqual(await codeOf(other.publish("a", 1)), ["UNAUTHENTICATED", true]);
    }
  });

  it("needs none of a server that asks for none, nor is one of use there", async () => {
    await using server = await startServer();
    for (const transport of TRANSPORTS) {
      await using hub = connect(server.url, { transport, token: () => "anything" });
      const a = collect(hub, "a");
      await a.ready;
      await hub.publish("a", 1);
      await until("it came", () => a.data.length === 1);
    }
  });
});
