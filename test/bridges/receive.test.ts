import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Batch, Outcome, Received, Source } from "../../src/bridges/bus.ts";
import type { Origin } from "../../src/bridges/incoming.ts";
import { receive, StoppedError } from "../../src/bridges/receive.ts";
import type { InRule } from "../../src/bridges/rules.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Hub } from "../../src/core/hub.ts";
import type { Appended } from "../../src/core/log.ts";
import type { Draft } from "../../src/core/message.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { bridgeWork } from "../support/bridge-work.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";

const ORIGIN: Origin = { bridge: "shop", kind: "redis", rule: 0, prefixes: ["ce_"], hub: "h", maxBytes: 1000 };
const RULE: InRule = { channel: "a", encoding: "json", sanitize: false, onError: "skip" };

/** A log that cannot keep messages for a while: all of them, or every second one. */
class FaultyLog extends MemoryLog {
  fails: (draft: Draft) => boolean = () => false;
  /** For good. */
  refuses: (draft: Draft) => boolean = () => false;

  override append(draft: Draft): Promise<Appended> {
    if (this.refuses(draft)) return Promise.reject(new HubError("INVALID_INPUT", "There are too many channels"));
    if (!this.fails(draft)) return super.append(draft);
    return Promise.reject(new HubError("LOG_UNAVAILABLE", "The disk is full"));
  }

  override appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return Promise.all(drafts.map((draft) => this.append(draft).catch((error: HubError) => error)));
  }
}

/** A source with these batches, which notes what became of them. */
class Batches implements Source {
  readonly settled: (readonly Outcome[])[] = [];
  readonly #bodies: readonly (readonly string[])[];
  #position = 0;

  constructor(...bodies: readonly (readonly string[])[]) {
    this.#bodies = bodies;
  }

  async *batches(): AsyncIterable<Batch> {
    for (const bodies of this.#bodies) {
      const messages = bodies.map((body): Received => {
        return { body: Buffer.from(body), headers: {}, key: body, names: {}, position: `s/${this.#position++}` };
      });
      yield { messages, settle: async (outcomes) => void this.settled.push(outcomes) };
    }
  }

  async close(): Promise<void> {}
}

/** Messages that all have one position. */
class OneId extends Batches {
  readonly #bodies: readonly string[];

  constructor(...bodies: readonly string[]) {
    super();
    this.#bodies = bodies;
  }

  override async *batches(): AsyncIterable<Batch> {
    const messages = this.#bodies.map((body): Received => {
      return { body: Buffer.from(body), headers: {}, names: {}, position: "same" };
    });
    yield { messages, settle: async (outcomes) => void this.settled.push(outcomes) };
  }
}

async function kept(hub: Hub): Promise<unknown[]> {
  const { messages } = await hub.history({ channels: patternsOf("*"), limit: 100 });
  return messages.map(({ data }) => JSON.parse(data) as unknown);
}

describe("what a bridge receives", () => {
  it("waits until the log takes it, and is acknowledged only then, once", async () => {
    const log = new FaultyLog(FOREVER);
    await using hub = await openHub(log);
    const source = new Batches(["1", "2"], ["3"]);
    log.fails = () => true;
    let waits = 0;
    const work = bridgeWork(hub, log, () => {
      assert.deepEqual(source.settled, []);
      if (++waits === 3) log.fails = () => false;
    });
    await receive(source, RULE, ORIGIN, work, new AbortController().signal);
    assert.deepEqual(await kept(hub), [1, 2, 3]);
    assert.deepEqual(source.settled, [["done", "done"], ["done"]]);
    assert.deepEqual([work.counters.received, work.counters.repeated, waits], [3, 0, 3]);
  });

  it("stays in order and is not published twice if only the first of it was kept", async () => {
    const log = new FaultyLog(FOREVER);
    await using hub = await openHub(log);
    // As a log does it whose batches are smaller: what comes after the first that fails is refused, too.
    log.fails = ({ data }) => Number(data) > 1;
    const source = new Batches(["1", "2", "3"]);
    const work = bridgeWork(hub, log, () => (log.fails = () => false));
    await receive(source, RULE, ORIGIN, work, new AbortController().signal);
    assert.deepEqual(await kept(hub), [1, 2, 3]);
    assert.deepEqual(source.settled, [["done", "done", "done"]]);
  });

  it("goes on for the channels that exist if there is no room for another one", async () => {
    const log = new MemoryLog({ ...FOREVER, channels: 2 });
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    const { signal } = new AbortController();
    const rule: InRule = { ...RULE, channel: "${key}", encoding: "text" };
    const source = new Batches(["a", "b", "c", "a"], ["b"]);
    await receive(source, rule, ORIGIN, work, signal);
    assert.deepEqual(source.settled, [["done", "done", "rejected", "done"], ["done"]]);
    assert.match(work.notices.join("\n"), /^a message \(s\/2\) cannot be published: 2 channels .* MAX_CHANNELS/);
    assert.deepEqual([work.counters.received, work.counters.rejected], [4, 1]);
    // Nor is there room for its dead letter.
    const telling = new Batches(["d", "a"]);
    await receive(telling, { ...rule, onError: "channel:dead" }, ORIGIN, work, signal);
    assert.deepEqual(telling.settled, [["rejected", "done"]]);
    const stopping = { ...rule, onError: "stop" } as const;
    await assert.rejects(receive(new Batches(["d"]), stopping, ORIGIN, work, signal), StoppedError);
  });

  it("waits if it has one channel and there is no room for that, and the operator is told", async () => {
    const log = new MemoryLog({ ...FOREVER, channels: 1 });
    await using hub = await openHub(log);
    await hub.publish(draftOf("old", "first"));
    let waits = 0;
    const closing = new AbortController();
    const work = bridgeWork(hub, log, () => ++waits === 3 && closing.abort());
    const source = new Batches(["1"]);
    await receive(source, RULE, ORIGIN, work, closing.signal);
    assert.deepEqual(source.settled, [], "it is left on the bus");
    assert.deepEqual(work.notices.length, 1);
    assert.match(work.notices[0] ?? "", /^messages wait until the hub can take them: 1 channels .* MAX_CHANNELS/);
  });

  it("is left on the bus if the bridge is closed while the log cannot take it", async () => {
    const log = new FaultyLog(FOREVER);
    await using hub = await openHub(log);
    log.fails = () => true;
    const source = new Batches(["1"], ["2"]);
    const closing = new AbortController();
    await receive(
      source,
      RULE,
      ORIGIN,
      bridgeWork(hub, log, () => closing.abort()),
      closing.signal,
    );
    assert.deepEqual([source.settled, await kept(hub)], [[], []]);
  });

  it("is known when it comes again", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    for (let times = 0; times < 2; times++) {
      await receive(new Batches(["1", "2"]), RULE, ORIGIN, work, new AbortController().signal);
    }
    assert.deepEqual(await kept(hub), [1, 2]);
    assert.deepEqual([work.counters.received, work.counters.repeated], [2, 2]);
  });

  it("is rejected if no hub takes it, with a notice, or stops the bridge", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    const source = new Batches(["1", "no JSON", "2"]);
    const { signal } = new AbortController();
    await receive(source, RULE, ORIGIN, work, signal);
    assert.deepEqual(source.settled, [["done", "rejected", "done"]]);
    assert.deepEqual(work.notices, ["a message (s/1) cannot be published: its payload is not JSON"]);
    const stopping = new Batches(["no JSON"]);
    await assert.rejects(receive(stopping, { ...RULE, onError: "stop" }, ORIGIN, work, signal), StoppedError);
    assert.deepEqual(stopping.settled, []);
  });

  it("waits with its dead letter, too, until the log takes it", async () => {
    const log = new FaultyLog(FOREVER);
    await using hub = await openHub(log);
    log.fails = () => true;
    const source = new Batches(["no JSON"]);
    const work = bridgeWork(hub, log, () => (log.fails = () => false));
    await receive(source, { ...RULE, onError: "channel:dead" }, ORIGIN, work, new AbortController().signal);
    const [letter] = (await kept(hub)) as [{ error: string; text: string }];
    assert.deepEqual([letter.error, letter.text], ["its payload is not JSON", "no JSON"]);
    assert.deepEqual(source.settled, [["done"]]);
  });

  it("is not lost because it has the id of another one, and is known when it comes again", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    const { signal } = new AbortController();
    // A producer that gives all its messages one id, or someone who used the ids of others first.
    const bodies = [["1", "2"], ["1", "2"], ["3"]];
    for (const some of bodies) await receive(new OneId(...some), RULE, ORIGIN, work, signal);
    assert.deepEqual(await kept(hub), [1, 2, 3]);
    assert.deepEqual([work.counters.received, work.counters.repeated], [3, 2]);
  });

  it("goes on after one that is wrong in every way, and after a dead letter that the log refuses", async () => {
    const log = new FaultyLog(FOREVER);
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    const { signal } = new AbortController();
    const source = new Batches(["\u0001".repeat(200_000), "1"]);
    await receive(source, { ...RULE, onError: "channel:dead" }, ORIGIN, work, signal);
    assert.deepEqual(source.settled, [["done", "done"]]);
    assert.equal((await kept(hub)).length, 2);
    log.refuses = ({ channel }) => channel === "dead";
    const refused = new Batches(["no JSON", "2"]);
    await receive(refused, { ...RULE, onError: "channel:dead" }, ORIGIN, work, signal);
    assert.deepEqual(refused.settled, [["rejected", "done"]]);
    assert.match(work.notices.at(-1) ?? "", /is not JSON; nor is its dead letter: /);
  });
});
