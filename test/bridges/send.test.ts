import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_BATCH, PartlyRefusedError, type Outgoing, type Target } from "../../src/bridges/bus.ts";
import type { OutRule } from "../../src/bridges/rules.ts";
import { send, type Sending } from "../../src/bridges/send.ts";
import type { LogPage, LogQuery } from "../../src/core/log.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { bridgeWork } from "../support/bridge-work.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { until } from "../support/until.ts";

/** A log that counts how often it is read. */
class CountingLog extends MemoryLog {
  reads = 0;

  override read(query: LogQuery): Promise<LogPage> {
    this.reads++;
    return super.read(query);
  }
}

/** A bus that confirms what it is sent when a test says so. */
class PatientTarget implements Target {
  readonly sent: (readonly Outgoing[])[] = [];
  #answer = Promise.withResolvers<void>();
  /** Ids that it refuses, and whether it then ends the connection. */
  refuses: (text: string) => boolean = () => false;
  endsAfterRefusal = false;

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    this.sent.push(messages);
    await this.#answer.promise;
    const errors = messages.map((message) => (this.refuses(textOf(message)) ? new Error("denied") : undefined));
    if (this.endsAfterRefusal && errors.some((error) => error !== undefined))
      throw new PartlyRefusedError("the connection ended", errors);
    return errors;
  }

  /** Confirms what was sent, and if `all`, what will be. */
  confirm(all = false): void {
    this.#answer.resolve();
    if (!all) this.#answer = Promise.withResolvers();
  }

  async close(): Promise<void> {}
}

describe("what a bridge sends", () => {
  it("is read while the bus confirms what comes before, and sent only after that, in order", async () => {
    const log = new CountingLog(FOREVER);
    await using hub = await openHub(log);
    const target = new PatientTarget();
    const work = bridgeWork(hub, log);
    await log.records.set("bridge", "shop", hub.cursor());
    const texts = Array.from({ length: 2 * MAX_BATCH + 10 }, (_, index) => String(index));
    for (const text of texts) await hub.publish(draftOf("a", text));
    const end = new AbortController();
    const before = log.reads;
    const sending = send([sendingTo(target)], "ce_", work, end.signal, () => {});
    await until("the first page is on its way", () => target.sent.length === 1);
    await until("the next one is read", () => log.reads >= before + 2);
    assert.equal(target.sent.length, 1);
    assert.equal(work.counters.sent, 0);
    target.confirm();
    await until("the next one is on its way", () => target.sent.length === 2);
    assert.equal(work.counters.sent, MAX_BATCH);
    target.confirm(true);
    await until("all were sent", () => work.counters.sent === texts.length);
    end.abort();
    await sending;
    assert.deepEqual(target.sent.flat().map(textOf), texts);
    assert.equal(await log.records.get("bridge", "shop"), hub.cursor(), "it is known where to go on");
  });

  it("begins with markers of what is missing, one for each destination, but where payloads alone are sent", async () => {
    const log = new MemoryLog({ ...FOREVER, messages: 2 });
    await using hub = await openHub(log);
    const work = bridgeWork(hub, log);
    await log.records.set("bridge", "shop", hub.cursor());
    for (const channel of ["a.one", "a.two", "b", "b", "a.two"]) await hub.publish(draftOf(channel, "x"));
    const targets = Array.from({ length: 3 }, () => new PatientTarget());
    for (const target of targets) target.confirm(true);
    const [byChannel, toOne, raw] = targets as [PatientTarget, PatientTarget, PatientTarget];
    const channels = patternsOf("a.*", "c");
    const rule = (target: Target, format: OutRule["format"], isByChannel: boolean): Sending => {
      return { rule: { channels, format }, target, isByChannel, refused: new Map() };
    };
    const rules = [rule(byChannel, "cloudevents", true), rule(toOne, "cloudevents", false), rule(raw, "raw", false)];
    const end = new AbortController();
    const sending = send(rules, "ce_", work, end.signal, () => {});
    await until("what is kept is sent", () => work.counters.sent === 3);
    end.abort();
    await sending;
    const markers = (target: PatientTarget): readonly (string | undefined)[] =>
      target.sent.flat().flatMap(({ headers, names }) => (headers["ce_type"] === "hub.gap" ? [names["channel"]] : []));
    assert.deepEqual(markers(byChannel), ["a.one", "a.two", "c"]);
    assert.deepEqual([markers(toOne), raw.sent.flat().map(textOf)], [["c"], ["x"]]);
    assert.equal(work.counters.gaps, 4);
    assert.match(work.notices[0] ?? "", /^messages are missing after /);
  });

  it("goes on after a message for which the bus ends the connection each time", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    const target = new PatientTarget();
    target.refuses = (text) => text === "2";
    target.endsAfterRefusal = true;
    target.confirm(true);
    const work = bridgeWork(hub, log);
    await log.records.set("bridge", "shop", hub.cursor());
    for (const text of ["1", "2", "3"]) await hub.publish(draftOf("a", text));
    const end = new AbortController();
    const rule = sendingTo(target);
    await assert.rejects(
      send([rule], "ce_", work, end.signal, () => {}),
      /the connection ended/,
    );
    assert.deepEqual([work.counters.sent, work.counters.refused], [0, 0]);
    const sending = send([rule], "ce_", work, end.signal, () => {});
    await until("it has gone on", () => work.counters.sent === 2);
    end.abort();
    await sending;
    assert.deepEqual(target.sent.at(-1)?.map(textOf), ["1", "3"]);
    assert.equal(work.counters.refused, 1);
    assert.match(work.notices[0] ?? "", /^message \S+ was refused: denied$/);
  });
});

function sendingTo(target: Target): Sending {
  const rule = { channels: patternsOf("a"), format: "raw" } as const;
  return { rule, target, isByChannel: false, refused: new Map() };
}

function textOf({ body }: Outgoing): string {
  return Buffer.from(body ?? []).toString();
}
