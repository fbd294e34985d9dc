import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hub } from "../../src/core/hub.ts";
import { Participants } from "../../src/core/participants.ts";
import { ANYONE } from "../../src/core/principal.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { callTool, ToolSet, type RequestContext } from "../../src/tools/index.ts";
import { draftOf, FOREVER, openHub } from "../support/sample.ts";
import type { ToolAnswer } from "../support/server.ts";
import { until } from "../support/until.ts";

function call(name: string, hub: Hub, input: object, more: Partial<RequestContext> = {}): Promise<ToolAnswer> {
  const context: RequestContext = {
    hub,
    get questions(): never {
      return assert.fail("not asked for");
    },
    participants: new Participants("test"),
    principal: ANYONE,
    signal: new AbortController().signal,
    limits: { message: 100_000, channels: 10 },
    stay: () => () => {},
    info: (): never => assert.fail("not asked for"),
    ...more,
  };
  return callTool(new ToolSet().named(name), input, context) as Promise<unknown> as Promise<ToolAnswer>;
}

function wait(hub: Hub, input: object, more: Partial<RequestContext> = {}): Promise<ToolAnswer> {
  return call("wait_for_messages", hub, { channels: ["a"], ...input }, more);
}

function messagesOf({ structuredContent }: ToolAnswer): { data: unknown; cut?: string; id: string }[] {
  return structuredContent["messages"] as { data: unknown; cut?: string; id: string }[];
}

function data(answer: ToolAnswer): unknown[] {
  return messagesOf(answer).map((message) => message.data);
}

const HOURS = { timeoutSeconds: 6 * 3600 };

describe("a wait for hours", () => {
  it("[TOOL-17] is for a caller that is told of progress: at once first, out of the hours it asked for", async (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    await using hub = await openHub(new MemoryLog(FOREVER));
    const told: (number | undefined)[] = [];
    const waiting = wait(hub, HOURS, { progress: (_, total) => told.push(total) > 0 });
    await until("it is told", () => told.length === 1);
    test.mock.timers.tick(3600_000);
    await hub.publish(draftOf("a", 1));
    assert.deepEqual(data(await waiting), [1]);
    assert.ok(told.every((total) => total === HOURS.timeoutSeconds));
  });

  it("[TOOL-17] is cut to 50 seconds for a caller that hears nothing meanwhile, and says so", async (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    let now = 0;
    test.mock.method(performance, "now", () => now);
    await using hub = await openHub(new MemoryLog(FOREVER));
    const waiting = wait(hub, HOURS);
    await untilSize(hub, 1);
    now = 50_001;
    test.mock.timers.tick(50_001);
    const { content, structuredContent } = await waiting;
    assert.match(content[0]?.text ?? "", /^This call waits 50 seconds at most.*\nNo messages\nGo on with after: /);
    assert.deepEqual(structuredContent["messages"], []);
  });

  it("[TOOL-17] ends once its caller's connection has been gone for a minute, with a cursor", async (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    let now = 0;
    test.mock.method(performance, "now", () => now);
    await using hub = await openHub(new MemoryLog(FOREVER));
    let told = 0;
    const answers: ToolAnswer[] = [];
    void wait(hub, HOURS, { progress: () => ++told === 1 }).then((answer) => answers.push(answer));
    while (answers.length === 0) {
      await untilSize(hub, 1);
      now += 1000;
      test.mock.timers.tick(1000);
      for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      assert.ok(now < 120_000);
    }
    assert.equal(told, 4);
    assert.ok(now >= 60_000, `${now} ms`);
    assert.match(answers[0]?.content[0]?.text ?? "", /^The wait ended early/);
    assert.equal(hub.size, 0);
  });

  it("ends when its credential does, and says so", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const end = Promise.withResolvers<() => void>();
    const waiting = wait(hub, HOURS, { stay: (over) => (end.resolve(over), () => {}), progress: () => true });
    const expire = await end.promise;
    await untilSize(hub, 1);
    expire();
    const { content, structuredContent } = await waiting;
    assert.match(content[0]?.text ?? "", /^The wait ended early/);
    assert.equal(structuredContent["next"], hub.cursor());
  });
});

/** As `until`, which takes time that is mocked here. */
async function untilSize(hub: Hub, size: number): Promise<void> {
  for (let turn = 0; hub.size !== size && turn < 1000; turn++)
    await new Promise<void>((resolve) => setImmediate(resolve));
}

describe("a wait for some messages only", () => {
  it("[TOOL-18] is not woken by what some senders sent, its own messages among them, and leaves that out", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const waiting = wait(hub, { exceptSender: ["me", "noise"] }, { sender: "robot" });
    await until("it waits", () => hub.size === 1);
    await hub.publish(draftOf("a", "mine", { sender: "robot" }));
    await hub.publish(draftOf("a", "theirs", { sender: "noise" }));
    await hub.publish(draftOf("a", "Ana's", { sender: "Ana" }));
    const { id } = await hub.publish(draftOf("a", "more of mine", { sender: "robot" }));
    const answer = await waiting;
    assert.deepEqual(data(answer), ["Ana's"]);
    const again = await wait(
      hub,
      { exceptSender: "me", after: answer.structuredContent["next"], timeoutSeconds: 0 },
      { sender: "robot" },
    );
    assert.deepEqual([data(again), again.structuredContent["next"]], [[], id]);
  });

  it("[TOOL-18] is woken by a mention in any text, and by no other name or address", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const not = ["robot", "@robots", "x@robot.example", "@robot-2", { "@robot": 1 }, 7];
    for (const one of not) await hub.publish(draftOf("a", one));
    const said = ["ask\n@Robot, please", { steps: ["none", "@robot."] }, "@ana"];
    for (const one of said) await hub.publish(draftOf("a", one));
    const answer = await wait(hub, { after: "earliest", mentions: ["me", "@ana"] }, { sender: "robot" });
    assert.deepEqual(data(answer), said);
  });

  it("[TOOL-18] is woken by messages of some event types", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const waiting = wait(hub, { events: ["order"] });
    await until("it waits", () => hub.size === 1);
    await hub.publish(draftOf("a", 1));
    await hub.publish(draftOf("a", 2, { event: "order" }));
    assert.deepEqual(data(await waiting), [2]);
  });

  it("comes back from a long way through others with a cursor, instead of keeping the server busy", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (let n = 0; n < 10_050; n++) await hub.publish(draftOf("a", n));
    const { id } = await hub.publish(draftOf("a", "found", { event: "order" }));
    const far = await wait(hub, { events: ["order"], after: "earliest", timeoutSeconds: 20 });
    assert.deepEqual([data(far), far.structuredContent["more"]], [[], true]);
    const near = await wait(hub, { events: ["order"], after: far.structuredContent["next"], timeoutSeconds: 20 });
    assert.deepEqual([data(near), near.structuredContent["next"]], [["found"], id]);
  });
});

describe("an answer of so many bytes", () => {
  const SIZES = [1000, 2500, 10_000];

  for (const name of ["read_messages", "wait_for_messages"]) {
    it(`[TOOL-19] of ${name} ends before it would be longer, and its cursor goes on from there`, async () => {
      await using hub = await openHub(new MemoryLog(FOREVER));
      const texts = Array.from({ length: 30 }, (_, n) => `${n} ${n % 3 === 0 ? "\u202e" : "ä"}`.repeat(40));
      for (const text of texts) await hub.publish(draftOf("a", text));
      const channel = name === "read_messages" ? { channel: "a" } : { channels: ["a"] };
      for (const maxBytes of SIZES) {
        const seen: unknown[] = [];
        let after = "earliest";
        while (seen.length < texts.length) {
          const answer = await call(name, hub, { ...channel, after, maxBytes });
          const { content, structuredContent } = answer;
          assert.ok(Buffer.byteLength(content[0]?.text ?? "") <= maxBytes);
          assert.ok(Buffer.byteLength(JSON.stringify(structuredContent)) <= maxBytes);
          seen.push(...messagesOf(answer).map((message) => (message.cut === undefined ? message.data : "cut")));
          after = String(structuredContent["next"]);
          assert.equal(structuredContent["more"], seen.length < texts.length);
        }
        assert.deepEqual(
          seen.filter((text) => text !== "cut"),
          texts.filter((_, n) => seen[n] !== "cut"),
        );
        if (maxBytes > 1000) assert.ok(!seen.includes("cut"));
      }
    });
  }

  it("[TOOL-19] cuts a message that is larger, for strangers' and the reader's own, and says how to read it whole", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await hub.publish(draftOf("elsewhere", 0));
    const large = { text: "\u202e€".repeat(9000) };
    await hub.publish(draftOf("a", large, { via: "webhook" }));
    await hub.publish(draftOf("a", "next"));
    const answer = await call("read_messages", hub, { channel: "a", maxBytes: 2000 });
    const text = answer.content[0]?.text ?? "";
    assert.ok(Buffer.byteLength(text) <= 2000 && Buffer.byteLength(JSON.stringify(answer.structuredContent)) <= 2000);
    const [message, ...more] = messagesOf(answer);
    assert.deepEqual(more, []);
    assert.match(
      message?.cut ?? "",
      /^\d+ of 54011 bytes left out; read_messages with channel a, after \S+, limit 1 and/,
    );
    assert.ok(JSON.stringify(large).startsWith(String(message?.data)));
    assert.match(text, / a \(\d+ of 54011 bytes left out; .*gives it whole\) <untrusted-/);
    const [, after] = /after (\S+), limit 1/.exec(text) ?? [];
    const whole = await call("read_messages", hub, { channel: "a", after, limit: 1 });
    assert.deepEqual(data(whole), [large]);
    assert.equal(whole.structuredContent["next"], answer.structuredContent["next"]);
  });
});
