import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callTool, ToolSet, type RequestContext } from "../../src/tools/index.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { Participants } from "../../src/core/participants.ts";
import { ANYONE } from "../../src/core/principal.ts";
import type { Hub } from "../../src/core/hub.ts";
import { LateLog } from "../support/late-log.ts";
import { Schedule } from "../support/schedule.ts";
import { draftOf, FOREVER, openHub } from "../support/sample.ts";
import { openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { startServer, type ToolAnswer } from "../support/server.ts";
import { until } from "../support/until.ts";

function contextOf(hub: Hub, more: Partial<RequestContext> = {}): RequestContext {
  const info = (): never => assert.fail("not asked for");
  return {
    hub,
    get questions(): never {
      return info();
    },
    participants: new Participants("test"),
    principal: ANYONE,
    signal: new AbortController().signal,
    limits: { message: 1000, channels: 3 },
    stay: () => () => {},
    info,
    ...more,
  };
}

function wait(hub: Hub, input: object, more: Partial<RequestContext> = {}): Promise<ToolAnswer> {
  return callTool(
    new ToolSet().named("wait_for_messages"),
    input,
    contextOf(hub, more),
  ) as Promise<unknown> as Promise<ToolAnswer>;
}

function data({ structuredContent }: ToolAnswer): unknown[] {
  return (structuredContent["messages"] as { data: unknown }[]).map((message) => message.data);
}

describe("wait_for_messages", () => {
  it("answers as soon as a message comes on one of its channels, and with it a cursor", async () => {
    await using server = await startServer();
    const waiting = server.call("wait_for_messages", { channels: ["a", "orders.*"] });
    await until("it waits", () => server.hub.size === 1);
    await server.publish("elsewhere", 0);
    const { id } = await server.publish("orders.eu", 1);
    const answer = await waiting;
    assert.deepEqual(
      [data(answer), answer.structuredContent["next"], answer.structuredContent["gap"]],
      [[1], id, null],
    );
    assert.equal(server.hub.size, 0);
  });

  it("[TOOL-2] misses nothing between two calls", async () => {
    await using server = await startServer();
    const seen: unknown[] = [];
    let after = (await server.publish("a", 0)).id;
    const publishing = (async () => {
      for (let n = 1; n <= 200; n++) await server.publish("a", n);
    })();
    while (seen.length < 200) {
      const answer = await server.call("wait_for_messages", { channels: ["a"], after });
      seen.push(...data(answer));
      after = String(answer.structuredContent["next"]);
    }
    await publishing;
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, n) => n + 1),
    );
  });

  it("answers at once where there is something after its cursor, or something missing", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 2 }));
    const { id } = await hub.publish(draftOf("a", 1));
    for (const n of [2, 3, 4]) await hub.publish(draftOf("a", n));
    assert.deepEqual(data(await wait(hub, { channels: ["a"], after: "earliest" })), [3, 4]);
    const missing = await wait(hub, { channels: ["a"], after: id as string });
    assert.equal((missing.structuredContent["gap"] as { reason: string }).reason, "expired");
    const unknown = await wait(hub, { channels: ["a"], after: "garbage" });
    assert.deepEqual(
      [data(unknown), (unknown.structuredContent["gap"] as { reason: string }).reason],
      [[], "unknown_cursor"],
    );
  });

  it("answers an empty page with the cursor to go on when the time is up, and at once for no time at all", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const { id } = await hub.publish(draftOf("a", 1));
    for (const timeoutSeconds of [0, 0.05]) {
      const { structuredContent, content } = await wait(hub, { channels: ["a"], timeoutSeconds });
      assert.deepEqual(structuredContent, { messages: [], next: id, more: false, gap: null });
      assert.match(content[0]?.text ?? "", /^No messages\nGo on with after: /);
    }
    assert.equal(hub.size, 0);
  });

  it("moves its cursor on over what was published elsewhere", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const waiting = wait(hub, { channels: ["a"], timeoutSeconds: 0.2 });
    const { id } = await hub.publish(draftOf("elsewhere", 1));
    assert.equal((await waiting).structuredContent["next"], id);
  });

  it("is not woken by an ephemeral message, which it could not tell of", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const waiting = wait(hub, { channels: ["a"] });
    await until("it waits", () => hub.size === 1);
    await hub.publish(draftOf("a", "now", { ephemeral: true }));
    await hub.publish(draftOf("a", "kept"));
    assert.deepEqual(data(await waiting), ["kept"]);
  });

  it("ends when its caller is gone, over HTTP and over WebSocket", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const body = '{"params":{"name":"wait_for_messages","arguments":{"channels":["a"]}}}';
    wire.send(["POST /mcp/tools/call HTTP/1.1", "Host: localhost", `Content-Length: ${body.length}`], body);
    using frames = await server.frames("?channel=");
    await frames.next();
    frames.send({ type: "mcp_call", tool: "wait_for_messages", arguments: { channels: ["a"] } });
    await until("both wait", () => server.hub.size === 3);
    wire.socket.destroy();
    frames.ws.terminate();
    await until("nobody waits", () => server.hub.size === 0);
  });

  it("leaves no timer and no listener behind, however it ends", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const gone = new AbortController();
    let listening = 0;
    const { signal } = gone;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...parameters: Parameters<typeof add>) => (listening++, add(...parameters));
    signal.removeEventListener = (...parameters: Parameters<typeof remove>) => (listening--, remove(...parameters));
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const answered = wait(hub, { channels: ["a"] }, { signal });
    await until("it waits", () => listening === 1);
    await hub.publish(draftOf("a", 1));
    await answered;
    assert.deepEqual([listening, timers()], [0, before]);
    const aborted = wait(hub, { channels: ["a"] }, { signal });
    await until("it waits", () => listening === 1);
    gone.abort();
    await aborted;
    assert.deepEqual([listening, timers(), hub.size], [0, before, 0]);
  });

  it("tells a caller that asks for it how long it has waited", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const told: [number, number?][] = [];
    const waiting = wait(
      hub,
      { channels: ["a"], timeoutSeconds: 20 },
      { progress: (done, total) => told.push([done, total]) > 0 },
    );
    await until("it is told", () => told.length > 0);
    await hub.publish(draftOf("a", 1));
    await waiting;
    assert.ok(told.every(([done, total]) => done >= 0 && done <= 20 && total === 20));
  });

  it("looks through as much of the log as it takes before it waits", async () => {
    using folder = new TemporaryFolder();
    await using hub = await openHub(await openSqlite(folder.file()));
    // A page of a pattern with many channels ends where it has looked at enough.
    const noise = Array.from({ length: 5000 }, (_, n) => hub.publish(draftOf("noise", n)));
    const found = Array.from({ length: 2100 }, (_, n) => hub.publish(draftOf(`a.c${n}`, n)));
    await Promise.all([...noise, ...found]);
    const answer = await wait(hub, { channels: ["a.*"], after: "earliest", timeoutSeconds: 20 });
    assert.deepEqual(
      data(answer),
      Array.from({ length: 100 }, (_, n) => n),
    );
  });

  it("is neither woken nor says more of its progress where messages come that are not kept", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    let told = 0;
    let reads = 0;
    const history = hub.history.bind(hub);
    hub.history = (query) => {
      reads++;
      return history(query);
    };
    const waiting = wait(hub, { channels: ["a"], timeoutSeconds: 20 }, { progress: () => ++told > 0 });
    await until("it waits", () => hub.size === 1 && reads === 1);
    for (let n = 0; n < 50; n++) await hub.publish(draftOf("a", n, { ephemeral: true }));
    await hub.publish(draftOf("a", "kept"));
    assert.deepEqual([data(await waiting), told, reads], [["kept"], 1, 2]);
  });

  it("is answered from one read where many wait for the same, wherever each began to wait", async () => {
    const log = new MemoryLog(FOREVER);
    let reads = 0;
    const read = log.read.bind(log);
    log.read = (query) => {
      reads++;
      return read(query);
    };
    await using hub = await openHub(log, { writesPerMessage: 1000 });
    const waiting: Promise<ToolAnswer>[] = [];
    for (let round = 0; round < 5; round++) {
      for (let each = 0; each < 40; each++)
        waiting.push(wait(hub, { channels: ["orders.*", "orders.eu"], timeoutSeconds: 20 }));
      await until("they wait", () => hub.size === waiting.length);
      await hub.publish(draftOf("elsewhere", round));
    }
    await hub.publish(draftOf("elsewhere", "last"));
    assert.ok(reads <= 10, `${reads} reads to begin to wait`);
    reads = 0;
    const { id, receivers } = await hub.publish(draftOf("orders.eu", "woken"));
    const answers = await Promise.all(waiting);
    assert.deepEqual([receivers, reads], [200, 1]);
    for (const answer of answers) {
      assert.deepEqual([data(answer), answer.structuredContent["next"]], [["woken"], id]);
      assert.equal(answer.structuredContent["gap"], null);
    }
  });

  it("[TOOL-2] repeats nothing where another node had given out its cursor, and this one is behind", async () => {
    const schedule = new Schedule("announce");
    const log = new LateLog(new MemoryLog(FOREVER), schedule);
    await using hub = await openHub(log);
    const publishing = [1, 2, 3].map((n) => hub.publish(draftOf("a", n)));
    await until("the log has them", () => log.kept.length === 3);
    const waiting = wait(hub, { channels: ["a"], after: `${log.epoch}-3` });
    await until("it waits", () => hub.size === 1);
    schedule.open("announce");
    await Promise.all(publishing);
    await hub.publish(draftOf("a", 4));
    assert.deepEqual(data(await waiting), [4]);
  });

  it("[TOOL-2] tells what the log lost while it waited, also if a message comes right after that", async () => {
    const log = new MemoryLog(FOREVER);
    const [read, follow] = [log.read.bind(log), log.follow.bind(log)];
    let lostTo = 0;
    let reset: (head: number) => void = () => {};
    log.read = async (query) => {
      const page = await read(query);
      if (query.after >= lostTo) return page;
      const messages = page.messages.filter(({ offset }) => offset > lostTo);
      return { ...page, messages, dropped: lostTo, isLost: true };
    };
    Object.assign(log, {
      follow: (listener: Parameters<typeof follow>[0], onReset: typeof reset) => {
        reset = onReset;
        return follow((messages) => listener(messages.filter(({ data: text }) => text !== '"lost"')));
      },
    });
    await using hub = await openHub(log);
    const { id } = await hub.publish(draftOf("a", 1));
    const waiting = wait(hub, { channels: ["a"], after: id as string });
    await until("it waits", () => hub.size === 1);
    await log.append(draftOf("a", "lost"));
    lostTo = 2;
    reset(lostTo);
    await hub.publish(draftOf("a", 3));
    const { structuredContent } = await waiting;
    assert.deepEqual(structuredContent["gap"], { reason: "lost", after: id, resumed: `${log.epoch}-2` });
  });

  it("refuses wrong input, naming the field", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const bad: readonly (readonly [object, RegExp])[] = [
      [{}, /channels is missing; give an array/],
      [{ channels: 7 }, /channels must be an array, not a number/],
      [{ channels: Array(20_000).fill(0) }, /channels names 20000 channels; no reader may name more than 10000/],
      [{ channels: [] }, /channels/],
      [{ channels: [7] }, /channels\.0 must be a string, not a number/],
      [{ channels: ["a.*.b"] }, /stands alone/],
      [{ channels: ["hub.logs"] }, /channels names hub\.logs, whose messages are not kept/],
      [{ channels: ["a", "b", "c", "d"] }, /channels names 4; at most 3/],
      [{ channels: ["a"], timeoutSeconds: 86_401 }, /timeoutSeconds/],
      [{ channels: ["a"], exceptSender: Array(101).fill("x") }, /exceptSender has 101 names; at most 100/],
      [{ channels: ["a"], mentions: ["@"] }, /mentions must hold names of 1 to 128 characters/],
      [{ channels: ["a"], events: ["e".repeat(65)] }, /events must hold names of 1 to 64 characters/],
      [{ channels: ["a"], maxBytes: 10 }, /maxBytes/],
      [{ channels: ["a"], timeoutSeconds: -1 }, /timeoutSeconds/],
      [{ channels: ["a"], timeoutSeconds: "5 s" }, /timeoutSeconds must be a number, not a string/],
    ];
    for (const [input, sentence] of bad) {
      const { isError, content } = await wait(hub, input);
      assert.equal(isError, true, JSON.stringify(input));
      assert.match(content[0]?.text ?? "", sentence);
    }
  });
});
