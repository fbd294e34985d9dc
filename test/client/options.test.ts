import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { connect, type ConnectOptions } from "../../src/client/index.ts";
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

  it("times that are none are refused", () => {
    const wrong: readonly (readonly [keyof ConnectOptions, readonly unknown[]])[] = [
      ["silence", [0, -1, NaN, "soon"]],
      ["retry", [-1, NaN]],
      ["retryMost", [0, NaN]],
      ["timeout", [0, NaN]],
    ];
    for (const [name, values] of wrong) {
      for (const value of values) {
        assert.throws(
          () => connect("http://localhost:1", { [name]: value }),
          new RegExp(`^RangeError: ${name} is ${String(value)}; give milliseconds, at least [01]$`),
        );
      }
    }
  });

  for (const transport of ["sse", "websocket"] as const) {
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

  it("a Retry-After of a year is kept to for as long as a timer runs", async () => {
    await using rig = await HubRig.open();
    await rig.control.answer("GET /", 503, { "retry-after": "31536000" });
    await using hub = connect(rig.front.url);
    let waits = 0;
    hub.onState(({ kind }) => (waits += Number(kind === "waiting")));
    hub.subscribe("a");
    const start = Date.now();
    await until("a third of a second is over", () => Date.now() - start > 300);
    assert.equal(waits, 1);
    assert.ok(hub.state.kind === "waiting" && hub.state.until > start + 20 * 24 * 3_600_000);
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
