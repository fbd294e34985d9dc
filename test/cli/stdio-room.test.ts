import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptedHub, type Asked } from "../support/scripted-hub.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";
import { until } from "../support/until.ts";

const FULL = 256;
const LISTEN = "subscriptions/listen";
const PROGRESS = { method: "notifications/progress" };
const MODERN = { params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } } };

/** What a hub was asked by a method, and has not answered. */
function open({ asked }: ScriptedHub, method: string): readonly Asked[] {
  return asked.filter(({ message, response }) => message.method === method && !response.closed);
}

/** Opens sessions, and lets `other` answer what is asked in them. */
function session(other: (asked: Asked) => void): (asked: Asked) => void {
  return (asked) => {
    const { method, message, response, reply } = asked;
    if (message.method === "initialize") reply({ result: {} }, { "mcp-session-id": "s" });
    else if (message.method === "notifications/initialized") response.writeHead(202).end();
    else if (method === "POST") other(asked);
    else response.writeHead(405).end();
  };
}

describe("sse-mcp-server stdio, with as much on its way as may be", { concurrency: 2 }, () => {
  it("refuses another request, and has room again where one is answered or cancelled", async () => {
    await using hub = await ScriptedHub.start(() => {});
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    for (let id = 1; id <= FULL + 2; id++) bridge.modern(id, "tools/list");
    for (const id of [FULL + 1, FULL + 2]) {
      const refused = await bridge.next();
      assert.deepEqual([refused.id, refused.error?.code], [id, 503]);
      assert.match(refused.error?.message ?? "", /^256 requests, .+ are being answered; wait for some$/);
    }
    await until("the others are asked", () => open(hub, "tools/list").length === FULL);
    bridge.send({ method: "notifications/cancelled", params: { requestId: 1 } });
    await until("one is cancelled", () => open(hub, "tools/list").length === FULL - 1);
    open(hub, "tools/list")[0]?.reply({ result: {} });
    assert.ok((await bridge.next()).result !== undefined);
    bridge.modern("a", "server/discover");
    bridge.modern("b", "server/discover");
    await until("both are asked", () => open(hub, "server/discover").length === 2);
    bridge.modern("c", "server/discover");
    assert.equal((await bridge.next()).id, "c");
  });

  it("ends when standard input does, and leaves nothing at the hub", async () => {
    await using hub = await ScriptedHub.start(() => {});
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    for (let id = 0; id < FULL; id++) bridge.modern(id, id % 2 === 0 ? LISTEN : "tools/list");
    for (let n = 0; n <= FULL; n++) bridge.send({ ...PROGRESS, ...MODERN });
    bridge.modern(FULL, LISTEN);
    assert.equal((await bridge.next()).id, FULL);
    await until("it is asked", () => open(hub, LISTEN).length + open(hub, "tools/list").length === FULL);
    assert.equal(await bridge.end(), 0);
    await until("the hub is left", () => hub.asked.every(({ response }) => response.closed));
  });

  it("ends when standard input does, though its client reads no refusal", async () => {
    await using hub = await ScriptedHub.start(() => {});
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const { child } = bridge.cli;
    child.stdout.pause();
    child.stdin.end("no JSON\n".repeat(4000));
    await until("it has ended", () => child.exitCode === 0);
    child.stdout.resume();
  });

  it("still passes on what the client answers the hub", async () => {
    const answers: unknown[] = [];
    await using hub = await ScriptedHub.start(
      session(({ message, response, stream }) => {
        if (message.method === undefined) {
          answers.push(message.id);
          response.writeHead(202).end();
        } else if (message.id === FULL) stream('data: {"jsonrpc":"2.0","id":"h","method":"ping"}\n\n');
      }),
    );
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    for (let id = 1; id <= FULL + 1; id++) bridge.send({ id, method: "tools/list" });
    while ((await bridge.next()).method !== "ping");
    bridge.send({ id: "h", result: {} });
    await until("the hub has the answer", () => answers.length === 1);
    assert.deepEqual(answers, ["h"]);
  });

  it("has other notifications wait in turn, while requests are answered", async () => {
    await using hub = await ScriptedHub.start(
      session(({ message, reply }) => {
        if (message.method !== PROGRESS.method) reply({ result: {} });
      }),
    );
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    for (let n = 0; n < FULL + 50; n++) bridge.send(PROGRESS);
    bridge.send({ id: 1, method: "tools/list" });
    await bridge.answer(1);
    await until("as many as may be are told", () => open(hub, PROGRESS.method).length === FULL);
    for (const { response } of open(hub, PROGRESS.method)) response.writeHead(202).end();
    await until("the rest is told", () => open(hub, PROGRESS.method).length === 50);
  });

  it("says what it drops where the hub takes no notifications at all", async () => {
    await using hub = await ScriptedHub.start(session(() => {}));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    for (let n = 0; n < 5000; n++) bridge.send(PROGRESS);
    await until("the word", () => /notifications\/progress was dropped: .+; .+\n/.test(bridge.cli.stderr));
    assert.equal(await bridge.end(), 0);
  });

  it("has room again where the hub does not take a cancellation", async () => {
    await using hub = await ScriptedHub.start(session(() => {}));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    bridge.send({ id: 1, method: "tools/list" });
    bridge.send({ method: "notifications/cancelled", params: { requestId: 1 } });
    await until("it is asked", () => open(hub, "notifications/cancelled").length === 1);
    await until("it is left", () => open(hub, "tools/list").length + open(hub, "notifications/cancelled").length === 0);
  });
});
