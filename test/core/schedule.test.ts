import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HubError } from "../../src/core/errors.ts";
import type { Draft } from "../../src/core/message.ts";
import type { Principal } from "../../src/core/principal.ts";
import { MAX_SCHEDULED_PER_PRINCIPAL } from "../../src/core/scheduled.ts";
import type { ChannelName } from "../../src/protocol/channel.ts";
import { ScheduleRig } from "../support/schedule-rig.ts";
import { until } from "../support/until.ts";

const SECOND = 1000;
const DAY = 86_400_000;

function message(data: unknown, more: Partial<Draft> = {}): Draft {
  return { channel: "a" as ChannelName, event: "message", data: JSON.stringify(data), sender: "x", ...more };
}

function principal(id: string): Principal {
  return { subject: id, kind: "key", id: `key-${id}`, publish: [], subscribe: [], admin: false, sendAs: false };
}

describe("a schedule", { concurrency: true }, () => {
  it("publishes nothing before its time, and each message once when it has come, in order of time", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    await schedule.schedule(message("third"), rig.now + 3 * SECOND);
    await schedule.schedule(message("first"), rig.now + SECOND);
    await schedule.schedule(message("second"), rig.now + 3 * SECOND - 1);
    await schedule.schedule(message("fourth"), rig.now + 3 * SECOND);
    await schedule.schedule(message("tomorrow"), rig.now + DAY);
    schedule.wake();
    assert.deepEqual(rig.data(), []);
    await rig.after(SECOND, 1);
    assert.deepEqual(rig.data(), ["first"]);
    await rig.after(2 * SECOND, 4);
    assert.deepEqual(rig.data(), ["first", "second", "third", "fourth"]);
    await until("they are forgotten", () => schedule.size === 1);
    assert.deepEqual([rig.appends, schedule.sent, (await rig.records.list("scheduled")).size], [4, 4, 1]);
  });

  it("publishes what was due while no one ran at once, in order of time, after a restart", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    for (let n = 200; n > 0; n--) await schedule.schedule(message(n), rig.now + n * SECOND);
    await schedule.close();
    rig.now += DAY;
    rig.open("b");
    await rig.after(0, 200);
    assert.deepEqual(
      rig.data(),
      Array.from({ length: 200 }, (_, n) => n + 1),
    );
  });

  it("follows a clock that jumps: ahead, it sends what is due then; back, it waits for the time again", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const start = rig.now;
    await schedule.schedule(message(1), start + DAY);
    await schedule.schedule(message(2), start + 2 * DAY);
    rig.now = start + DAY + 1;
    await until("the clock is looked at", () => rig.log.length === 1);
    rig.now = start - DAY;
    schedule.wake();
    await schedule.schedule(message(3), start);
    await rig.after(DAY, 2);
    assert.deepEqual(rig.data(), [1, 3]);
    await rig.after(2 * DAY, 3);
    assert.deepEqual(rig.data(), [1, 3, 2]);
  });

  it("cancels for good what is not being sent yet: of a cancellation and its time, one wins", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const { scheduled } = await schedule.schedule(message("never"), rig.now + SECOND);
    assert.equal(await schedule.cancel(scheduled.id), true);
    assert.equal(await schedule.cancel(scheduled.id), false);
    assert.equal(await schedule.get(scheduled.id), undefined);
    for (let n = 1; n <= 50; n++) {
      const { scheduled: next } = await schedule.schedule(message(n), rig.now + SECOND);
      const sent = rig.log.length;
      rig.now += SECOND;
      schedule.wake();
      const isCancelled = await schedule.cancel(next.id);
      await until("it is gone", () => schedule.size === 0);
      assert.equal(rig.log.length, sent + (isCancelled ? 0 : 1), `${n}`);
    }
    assert.ok(!rig.data().includes("never"));
  });

  it("gives the same id for the same idempotency key, and sends it once, however often it is asked", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const keyed = message(1, { key: "key-ada\nk" });
    const at = rig.now + SECOND;
    // Which of them is the first is not said: their ids are digests that are made side by side.
    const asked = await Promise.all([1, 2, 3].map(() => schedule.schedule(keyed, at)));
    const [first] = asked;
    assert.equal(new Set(asked.map(({ scheduled }) => scheduled.id)).size, 1);
    assert.deepEqual(
      asked.map(({ repeated }) => Number(repeated)).toSorted((a, b) => a - b),
      [0, 1, 1],
    );
    for (const [other, time] of [
      [message(2, { key: "key-ada\nk" }), at],
      [message(1, { key: "key-ada\nk", event: "x" }), at],
      [keyed, at + 1],
    ] as const) {
      await assert.rejects(schedule.schedule(other, time), { code: "IDEMPOTENCY_KEY_REUSED" });
    }
    const repeated = await schedule.schedule(keyed, at + 1, { isExact: false });
    assert.deepEqual([repeated.repeated, repeated.scheduled.at], [true, at]);
    await rig.after(SECOND, 1);
    const late = await schedule.schedule(keyed, at);
    assert.equal(late.scheduled.id, first?.scheduled.id);
    await until("the repeat is gone, too", () => schedule.size === 0);
    assert.deepEqual(rig.data(), [1]);
  });

  it("tries again when the log is away at its time, and loses nothing", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    for (const n of [1, 2, 3]) await schedule.schedule(message(n), rig.now + n * SECOND);
    rig.isAway = true;
    rig.now += 10 * SECOND;
    schedule.wake();
    await assert.rejects(schedule.schedule(message(4), rig.now), { code: "LOG_UNAVAILABLE" });
    rig.isAway = false;
    await rig.after(0, 3);
    assert.deepEqual(rig.data(), [1, 2, 3]);
  });

  it("tries one that the log refuses again later, and sends the others meanwhile", async () => {
    await using rig = new ScheduleRig();
    const reports: string[] = [];
    const { schedule } = rig.open("a", { report: (sentence) => void reports.push(sentence) });
    const full = new HubError("OVERLOADED", "as many channels as MAX_CHANNELS allows");
    rig.refuses = ({ channel }) => (channel === "full" ? full : undefined);
    await schedule.schedule(message(1, { channel: "full" as ChannelName }), rig.now);
    await schedule.schedule(message(2), rig.now + 1);
    await rig.after(1, 1);
    assert.deepEqual(rig.data(), [2]);
    assert.match(reports.join(), /^a scheduled message cannot be sent, and is tried again: as many channels/);
    rig.refuses = () => undefined;
    await rig.after(10 * SECOND, 2);
    assert.deepEqual(rig.data(), [2, 1]);
    assert.equal(reports.length, 1);
  });

  it("lets one that the log refuses be cancelled", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open("a");
    rig.refuses = () => new HubError("OVERLOADED", "as many channels as MAX_CHANNELS allows");
    const { scheduled } = await schedule.schedule(message(1), rig.now);
    await until("it was tried", () => {
      schedule.wake();
      return rig.appends > 0;
    });
    await until("it was refused, and can be cancelled", () => schedule.cancel(scheduled.id));
    assert.ok(rig.appends >= 1);
    rig.refuses = () => undefined;
    await schedule.schedule(message(2), rig.now + 20 * SECOND);
    await rig.after(20 * SECOND, 1);
    assert.deepEqual(rig.data(), [2]);
  });

  it("drops what its principal may not publish any more when its time comes", async () => {
    await using rig = new ScheduleRig();
    const dropped: string[] = [];
    const gone = new Set<string>();
    const { schedule } = rig.open("a", {
      isRevoked: ({ id }) => gone.has(id),
      onDropped: ({ by }) => void dropped.push(by?.id ?? ""),
    });
    for (const name of ["ada", "bob"]) {
      await schedule.schedule(message(name), rig.now + SECOND, { by: principal(name) });
    }
    await schedule.schedule(message("hub"), rig.now + SECOND);
    gone.add("key-ada");
    await rig.after(SECOND, 2);
    await until("all are gone", () => schedule.size === 0);
    assert.deepEqual([rig.data(), dropped, schedule.dropped], [["bob", "hub"], ["key-ada"], 1]);
  });

  it("[PUB-45] bounds what one principal schedules, and still answers a repeat", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const by = principal("ada");
    const last = message(0, { key: "key-ada\nlast" });
    await schedule.schedule(last, rig.now + DAY, { by });
    for (let n = 1; n < MAX_SCHEDULED_PER_PRINCIPAL; n++) await schedule.schedule(message(n), rig.now + DAY, { by });
    await assert.rejects(schedule.schedule(message(1), rig.now + DAY, { by }), (error: HubError) => {
      assert.equal(error.code, "TOO_MANY_SCHEDULED");
      assert.match(error.message, /^You have 1000 scheduled messages, which is the limit; cancel some/);
      return true;
    });
    assert.equal((await schedule.schedule(last, rig.now + DAY, { by })).repeated, true);
    await schedule.schedule(message(1), rig.now + DAY, { by: principal("bob") });
    assert.equal(schedule.list().length, MAX_SCHEDULED_PER_PRINCIPAL + 1);
  });

  it("[PUB-45] bounds the bytes of one principal, so that there is room for others", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const large = message("x".repeat(4 * 1024 * 1024 - 2));
    const by = principal("ada");
    for (let n = 0; n < 2; n++) await schedule.schedule(large, rig.now + DAY, { by });
    await assert.rejects(schedule.schedule(message(1), rig.now + DAY, { by }), (error: HubError) => {
      assert.equal(error.code, "TOO_MANY_SCHEDULED");
      const sentence =
        /^Your scheduled messages together would have 8388609 bytes of 8388608, which is the limit; cancel/;
      assert.match(error.message, sentence);
      return true;
    });
    await schedule.schedule(large, rig.now + DAY, { by: principal("bob") });
    assert.equal(schedule.list().length, 3);
  });

  it("bounds what is scheduled at once", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const large = message("x".repeat(4 * 1024 * 1024 - 2));
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, async () => schedule.schedule(large, rig.now + DAY)),
    );
    assert.equal(asked.filter(({ status }) => status === "fulfilled").length, 8);
    assert.equal(schedule.list().length, 8);
  });

  it("bounds the bytes of all, since every node reads them", async () => {
    await using rig = new ScheduleRig();
    const { schedule } = rig.open();
    const large = message("x".repeat(4 * 1024 * 1024 - 2));
    for (let n = 0; n < 8; n++) await schedule.schedule(large, rig.now + DAY);
    await assert.rejects(schedule.schedule(message(1), rig.now + DAY), { code: "TOO_MANY_SCHEDULED" });
  });
});

describe("the schedules of several nodes", { concurrency: true }, () => {
  it("know what each of them was asked for, and one of them sends it", async () => {
    await using rig = new ScheduleRig();
    const nodes = ["a", "b", "c"].map((name) => rig.open(name).schedule);
    for (const [n, schedule] of nodes.entries()) await schedule.schedule(message(n), rig.now + SECOND + n);
    for (const schedule of nodes) assert.equal(schedule.list().length, 3);
    assert.equal(await nodes[0]?.cancel(nodes[2]?.list()[1]?.id ?? ""), true);
    await rig.after(2 * SECOND, 2);
    await until("all know", () => nodes.every(({ size }) => size === 0));
    assert.deepEqual([rig.data(), rig.appends], [[0, 2], 2]);
  });

  it("send what one of them was asked for, also if it told no one", async () => {
    await using rig = new ScheduleRig();
    const { schedule: holder } = rig.open("a");
    await until("it is ready", async () => (await rig.store.get("lease:scheduled")) === "a000000000");
    const { schedule, node } = rig.open("b");
    node.isMute = true;
    await schedule.schedule(message(1), rig.now);
    assert.equal(holder.size, 0);
    await holder.close();
    await rig.after(0, 1);
    assert.deepEqual(rig.data(), [1]);
  });

  it("send once what a node that stands still had begun to send, also when it goes on", async () => {
    await using rig = new ScheduleRig();
    let goOn = (): void => {};
    const stands = new Promise<void>((resolve) => (goOn = resolve));
    let began = 0;
    const { schedule: a, node } = rig.open("a", {
      publish: async (draft) => {
        began++;
        await stands;
        return rig.publish(draft);
      },
    });
    await until("a sends", async () => (await rig.store.get("lease:scheduled")) === "a000000000");
    const { scheduled } = await a.schedule(message(1), rig.now);
    await until("a has begun", () => began === 1);
    node.isAway = true;
    const { schedule: b } = rig.open("b");
    assert.equal(await b.cancel(scheduled.id), false, "it may be sent already");
    await until("b has sent it", () => rig.log.length === 1);
    node.isAway = false;
    goOn();
    await until("a has gone on", () => rig.appends === 2);
    await until("both know", () => a.size === 0 && b.size === 0);
    assert.deepEqual(rig.data(), [1]);
  });

  it("send once what a node had published and not deleted when it died", async () => {
    await using rig = new ScheduleRig();
    const { schedule: a } = rig.open("a", {
      publish: async (draft) => {
        await rig.publish(draft);
        rig.isAway = true;
      },
    });
    await a.schedule(message(1), rig.now);
    await until("a has published it", () => rig.log.length === 1);
    await a.close();
    rig.isAway = false;
    const { schedule: b } = rig.open("b");
    await until("b has tried", () => rig.appends === 2);
    await until("it is gone", async () => b.size === 0 && (await rig.records.list("scheduled")).size === 0);
    assert.deepEqual(rig.data(), [1]);
  });
});
