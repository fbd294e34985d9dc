import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { connect } from "../../src/client/index.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const CLIENT = join(import.meta.dirname, "../../src/client/index.ts");

describe("a hub with nothing to do", () => {
  it("does not keep its process alive", async () => {
    const script = `import { connect } from ${JSON.stringify(CLIENT)}; connect("http://localhost:1"); console.log("over")`;
    const running = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      timeout: 20_000,
    });
    assert.equal((await running).stdout, "over\n");
  });

  it("is not disturbed by what else is said on the channel of its tabs", async () => {
    await using rig = await HubRig.open();
    const tabs = [1, 2].map(() => connect(rig.front.url, { share: "disturbed" }));
    const got: unknown[][] = [[], []];
    const all = tabs.map((hub, tab) => hub.subscribe("a", { onMessage: ({ data }) => got[tab]?.push(data) }));
    await Promise.all(all.map(({ ready }) => ready));
    using channel = Object.assign(new BroadcastChannel(`sse-mcp-server/client/2 ${rig.front.url}/ disturbed`), {
      [Symbol.dispose]: () => channel.close(),
    });
    for (const note of [
      null,
      7,
      "lead",
      {},
      { kind: "later" },
      { kind: "read" },
      { kind: "read", tab: "x", patterns: "a" },
      { kind: "read", tab: "x", patterns: [7] },
      { kind: "lead" },
      { kind: "lead", term: Infinity, event: null },
      { kind: "lead", term: Number.MAX_SAFE_INTEGER, event: { kind: "later" } },
    ]) {
      channel.postMessage(note);
    }
    // Notes keep their order, so this one is heard after those.
    const last = connect(rig.front.url, { share: "disturbed" });
    await last.subscribe("a").ready;
    await rig.control.publish("a", 1);
    await until("both have it", () => got.every((data) => data.length === 1));
    assert.equal(await rig.control.readers(), 1);
    for (const hub of [...tabs, last]) hub.close();
  });

  it("looks after one that leads never, where no silence is too long", async (test) => {
    await using rig = await HubRig.open();
    await using leading = connect(rig.front.url, { share: "test" });
    await leading.subscribe("a").ready;
    const { mock } = test.mock.method(globalThis, "setInterval");
    await using second = connect(rig.front.url, { share: "test", silence: Infinity });
    await second.subscribe("a").ready;
    const delays = mock.calls.map((call) => call.arguments[1]);
    assert.deepEqual(
      delays.filter((delay = 0) => delay > 2 ** 31 - 1),
      [],
    );
  });
});
