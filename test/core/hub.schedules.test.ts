import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "../support/properties.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import type { Hub } from "../../src/core/hub.ts";
import type { Log } from "../../src/core/log.ts";
import type { Published } from "../../src/core/message.ts";
import type { Subscription } from "../../src/core/subscription.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { SqliteLog } from "../../src/logs/sqlite/log.ts";
import { LateLog } from "../support/late-log.ts";
import { ReaderModel } from "../support/reader-model.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { testFormat, TestSink } from "../support/test-sink.ts";

const CHANNELS = ["a", "b.x", "b.y", "c.z.w"];
const PATTERNS = patternsOf(...CHANNELS, "b.*", "c.*", "c.z.*", "*");
const FORMATS = [testFormat(), testFormat()];
const KINDS = {
  publish: 6,
  join: 2,
  leave: 1,
  add: 2,
  remove: 1,
  stall: 1,
  take: 1,
  beat: 1,
  letGo: 12,
  tick: 3,
  turn: 4,
} as const;

type Kind = keyof typeof KINDS;
/** What happens next, and numbers to choose the details by. */
type Step = readonly [Kind, number, number, number];

const weighted = Object.entries(KINDS).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) }));
const step: fc.Arbitrary<Step> = fc.tuple(fc.oneof(...weighted), fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff));
const schedules = fc.array(step, { minLength: 1, maxLength: 250, size: "max" });

/** A hub on a late log, readers that come and go, and what must hold of all they see. */
class Trial {
  readonly hub: Hub;
  readonly #log: LateLog;
  readonly #schedule: Schedule;
  readonly #readers: { readonly model: ReaderModel; readonly subscription: Subscription }[] = [];
  readonly #published: Promise<Published>[] = [];
  #answered = 0;

  constructor(hub: Hub, log: LateLog, schedule: Schedule) {
    this.hub = hub;
    this.#log = log;
    this.#schedule = schedule;
  }

  async take([kind, x, y, z]: Step): Promise<void> {
    const here = this.#readers.filter(({ model }) => !model.gone);
    const reader = here[x % Math.max(here.length, 1)];
    if (kind === "publish") this.#publish(x, y, z);
    else if (kind === "join") this.#join(x, y, z);
    else if (kind === "letGo") this.#schedule.letAny(x);
    else if (kind === "turn") await turn();
    else if (kind === "tick") for (let ticks = x % 9; ticks >= 0; ticks--) await Promise.resolve();
    else if (kind === "beat") this.hub.heartbeat(x % 2, 2);
    else if (reader === undefined) return;
    else if (kind === "leave") {
      this.hub.unsubscribe(reader.subscription);
      reader.model.leave();
    } else if (kind === "add") {
      const [channels, after] = [this.#channels(y), this.#cursor(z)];
      reader.model.expect(after, this.#now);
      this.hub.add(reader.subscription, { channels, after });
      reader.model.add(channels, after, this.#now);
    } else if (kind === "remove") {
      const { channels } = reader.subscription;
      const removed = channels.filter((_, index) => (y >> index) & 1);
      this.hub.remove(reader.subscription, removed);
      reader.model.remove(removed);
    } else if (kind === "stall") reader.model.sink.stall();
    else if (y % 2) reader.model.sink.take();
    else reader.model.sink.resume();
  }

  /** Lets everything come to its end, then judges what only the end can show. */
  async finish(): Promise<void> {
    for (const { model } of this.#readers) model.sink.resume();
    for (let quiet = 0; quiet < 20; quiet = this.#schedule.held > 0 ? 0 : quiet + 1) {
      this.#schedule.letAny(0);
      await turn();
      if (this.#answered < this.#published.length) quiet = 0;
    }
    const published = await Promise.all(this.#published);
    for (const { id, message, repeated } of published) {
      assert.equal(id === undefined, message.ephemeral === true);
      if (repeated) assert.ok(message.key !== undefined && !message.ephemeral);
    }
    const made = published.filter(({ repeated }) => !repeated);
    assert.equal(made.length, this.hub.stats.published);
    const ids = made.flatMap(({ id }) => id ?? []);
    assert.deepEqual(ids.sort(), this.#log.kept.map(({ offset }) => this.hub.cursor(offset)).sort());
    for (const { model, subscription } of this.#readers) {
      model.finish();
      assert.equal(subscription.closed, model.gone);
      if (!model.gone) assert.notEqual(subscription.group, undefined, "a reader never went live");
    }
    const given = this.#readers.map(({ model }) => model.sink.data.length);
    assert.equal(
      given.reduce((sum, count) => sum + count, 0),
      this.hub.stats.delivered + this.hub.stats.replayed,
    );
  }

  get #now(): number {
    return Number(this.hub.cursor().split("-")[1]);
  }

  #publish(x: number, y: number, z: number): void {
    const channel = CHANNELS[x % CHANNELS.length] ?? "a";
    const more = y % 6 === 0 ? { ephemeral: true } : z % 5 === 0 ? { key: `key${z % 3}` } : {};
    const publishing = this.hub.publish(draftOf(channel, this.#published.length, more));
    this.#published.push(publishing.finally(() => this.#answered++));
  }

  #join(x: number, y: number, z: number): void {
    const model = new ReaderModel(new TestSink(FORMATS[z % FORMATS.length]), this.#log.truth);
    const [channels, after] = [this.#channels(x), this.#cursor(y)];
    model.expect(after, this.#now);
    const subscription = this.hub.subscribe({ channels, after }, model.sink);
    model.add(channels, after, this.#now);
    this.#readers.push({ model, subscription });
  }

  #channels(bits: number): ChannelPattern[] {
    const some = PATTERNS.filter((_, index) => (bits >> (index * 2)) % 4 === 0);
    return some.length > 0 ? some : PATTERNS.slice(0, 1);
  }

  #cursor(z: number): string | undefined {
    const detail = z >> 3;
    const told = this.#readers.flatMap(({ model }) => model.cursors);
    if (z % 8 < 2) return undefined;
    if (z % 8 === 2) return "earliest";
    if (z % 8 === 3) return ["rubbish", "zzz-1", `${this.hub.log.epoch}-${this.#log.kept.length + 1000}`][detail % 3];
    if (z % 8 === 4) return this.hub.cursor(detail % (this.#log.kept.length + 1));
    return told[detail % Math.max(told.length, 1)];
  }
}

async function run(log: Log, steps: readonly Step[], maxPending: number): Promise<void> {
  const schedule = new Schedule();
  const late = new LateLog(log, schedule);
  const endOfTurn = (write: () => void): void => schedule.call("end", write);
  const opening = openHub(late, { page: 4, maxPending, endOfTurn, writesPerMessage: 2 });
  await turn();
  schedule.letAny(0);
  await using hub = await opening;
  const trial = new Trial(hub, late, schedule);
  for (const each of steps) await trial.take(each);
  await trial.finish();
}

describe("whatever the order in which a log and readers answer, each reader gets its channels in order, whole and once", () => {
  it("[LOG-2] on a log that keeps everything", async () => {
    await fc.assert(
      fc.asyncProperty(schedules, (steps) => run(new MemoryLog(FOREVER), steps, Infinity)),
      { numRuns: 200 },
    );
  });

  it("or with a gap that covers exactly what was dropped, on a log that keeps little", async () => {
    await fc.assert(
      fc.asyncProperty(schedules, fc.integer({ min: 1, max: 20 }), (steps, messages) =>
        run(new MemoryLog({ ...FOREVER, messages }), steps, Infinity),
      ),
      { numRuns: 200 },
    );
  });

  it("until it is cut, where readers that take nothing are cut", async () => {
    await fc.assert(
      fc.asyncProperty(schedules, fc.integer({ min: 1, max: 20 }), (steps, messages) =>
        run(new MemoryLog({ ...FOREVER, messages }), steps, 100),
      ),
      { numRuns: 100 },
    );
  });

  it("on SQLite, with a disk that confirms late and with one that is not asked", async () => {
    await fc.assert(
      fc.asyncProperty(schedules, fc.boolean(), async (steps, full) => {
        using folder = new TemporaryFolder();
        const retention = full ? FOREVER : { ...FOREVER, messages: 10 };
        await run(
          await SqliteLog.open({ path: folder.file(), retention, durability: full ? "full" : "normal" }),
          steps,
          Infinity,
        );
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
