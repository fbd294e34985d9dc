import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { connect, type ConnectOptions, type Message } from "../../src/client/index.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const CLIENT = join(import.meta.dirname, "../../src/client/index.ts");

describe("what a client is given", { concurrency: false }, () => {
  it("a signal is let go of by subscriptions and hubs that have ended", async () => {
    await using rig = await HubRig.open();
    const { signal } = new AbortController();
    await using hub = connect(rig.front.url, { signal });
    for (let n = 0; n < 20; n++) hub.subscribe("a", { signal }).close();
    assert.equal(getEventListeners(signal, "abort").length, 1);
    const left = hub.subscribe("a", { signal });
    hub.close();
    await assert.rejects(left.ready, { code: "CLOSED" });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("numbers that are none are refused", () => {
    const wrong: readonly (readonly [keyof ConnectOptions, readonly unknown[]])[] = [
      ["silence", [0, -1, NaN, "soon"]],
      ["retry", [-1, NaN]],
      ["retryMost", [0, NaN]],
      ["timeout", [0, NaN]],
      ["messageMost", [0, -1, NaN]],
    ];
    for (const [name, values] of wrong) {
      for (const value of values) {
        assert.throws(
          () => connect("http://localhost:1", { [name]: value }),
          new RegExp(`^RangeError: ${name} is ${String(value)}; give (milliseconds|characters), at least [01]$`),
        );
      }
    }
    const hub = connect("http://localhost:1");
    assert.throws(() => hub.subscribe("a", { buffer: NaN }), /^RangeError: buffer is NaN; give messages, at least 1$/);
    hub.close();
  });

  for (const transport of ["sse", "websocket"] as const) {
    it(`a function reads the JSON of messages, and of nothing else, over ${transport}`, async () => {
      await using rig = await HubRig.open();
      const big = "12345678901234567890";
      const parse = (json: string): unknown =>
        JSON.parse(json, (_, value, { source }) => (typeof value === "number" ? BigInt(source as string) : value));
      await using hub = connect(rig.front.url, { transport, parse });
      const messages = hub.subscribe("a");
      await messages.ready;
      const headers = { "content-type": "application/json" };
      await rig.server.request("/channels/a/messages", { method: "POST", headers, body: `{"id":${big}}` });
      const { value } = await messages[Symbol.asyncIterator]().next();
      assert.deepEqual((value as Message).data, { id: BigInt(big) });
      assert.equal((await hub.publish("a", 1)).receivers, 1);
    });

    it(`a silence without end makes no haste over ${transport}`, async (test) => {
      await using rig = await HubRig.open();
      const { mock } = test.mock.method(globalThis, "setInterval");
      await using hub = connect(rig.front.url, { transport, silence: Infinity });
      await hub.subscribe("a").ready;
      const delays = mock.calls.map((call) => call.arguments[1] as number);
      assert.deepEqual(
        delays.filter((delay) => !(delay >= 1000 && delay < 2 ** 31)),
        [],
      );
    });
  }

  for (const transport of ["sse", "websocket"] as const) {
    it(`a Retry-After of a year is kept to for a minute over ${transport}, and a wake ends the wait`, async () => {
      await using rig = await HubRig.open();
      await rig.control.answer("GET /", 503, { "retry-after": "31536000" });
      await using hub = connect(rig.front.url, { transport });
      const { ready } = hub.subscribe("a");
      await until("it waits", () => hub.state.kind === "waiting");
      const wait = hub.state.kind === "waiting" ? hub.state.until - Date.now() : NaN;
      assert.ok(wait > 55_000 && wait < 62_000, String(wait));
      await rig.control.answer("");
      // That the hub answers something else does not end it: it said when to come back.
      await hub.tools();
      assert.equal(hub.state.kind, "waiting");
      hub.wake();
      await ready;
    });
  }

  it("a Retry-After is seconds or a date of the server's clock, and nothing else", async () => {
    const date = new Date(Date.UTC(2001, 0, 1));
    const later = new Date(date.getTime() + 7000).toUTCString();
    const said: readonly (readonly [given: Record<string, string>, wait: number | undefined])[] = [
      [{ "retry-after": "7" }, 7000],
      [{ "retry-after": later, date: date.toUTCString() }, 7000],
      [{ "retry-after": date.toUTCString() }, 0],
      [{ "retry-after": "9".repeat(400) }, Number.MAX_SAFE_INTEGER],
      ...["-5", "1.5", "NaN", "soon", "7, 7", ""].map((text) => [{ "retry-after": text }, undefined] as const),
    ];
    for (const [headers, wait] of said) {
      const fetch = async (): Promise<Response> => new Response("", { status: 503, headers });
      await using hub = connect("http://localhost/", { fetch });
      hub.subscribe("a");
      await until("it waits", () => hub.state.kind === "waiting");
      const { error } = hub.state as typeof hub.state & { kind: "waiting" };
      assert.equal(error.retryAfter, wait, JSON.stringify(headers));
    }
  });

  it("a WebSocket is asked for where the runtime has none", (test) => {
    const own = Object.getOwnPropertyDescriptor(globalThis, "WebSocket") as PropertyDescriptor;
    Object.defineProperty(globalThis, "WebSocket", { value: undefined, configurable: true });
    test.after(() => Object.defineProperty(globalThis, "WebSocket", own));
    const url = "http://localhost:1";
    assert.throws(() => connect(url, { transport: "websocket" }), /^TypeError: This runtime has no WebSocket; give/);
    connect(url, { transport: "websocket", webSocket: () => assert.fail() }).close();
  });

  it("a process ends when its subscriptions have", async () => {
    await using rig = await HubRig.open();
    const script = `
      import { connect } from ${JSON.stringify(CLIENT)};
      for (const transport of ["sse", "websocket"]) {
        const subscription = connect("${rig.front.url}", { transport }).subscribe("a");
        await subscription.ready;
        subscription.close();
      }
      console.log("over");`;
    const running = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      timeout: 20_000,
    });
    assert.equal((await running).stdout, "over\n");
  });

  it("where no connection can be shared, each hub that would has its own", async (test) => {
    await using rig = await HubRig.open();
    const own = Object.getOwnPropertyDescriptor(globalThis, "navigator") as PropertyDescriptor;
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    test.after(() => Object.defineProperty(globalThis, "navigator", own));
    const hubs = [connect(rig.front.url, { share: true }), connect(rig.front.url, { share: "kim" })];
    await Promise.all(hubs.map((hub) => hub.subscribe("a").ready));
    assert.equal(await rig.control.readers(), 2);
    for (const hub of hubs) hub.close();
  });
});
