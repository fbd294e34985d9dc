import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type Gap, type Hub, type Message, type Subscription } from "../../src/client/index.ts";
import type { Treatment } from "../support/front.ts";
import { HubRig } from "../support/hub-rig.ts";
import { until } from "../support/until.ts";

const CHANNELS = ["a", "b.x", "b.y"];
const PATTERNS = [["a"], ["b.*"], ["*"], ["a", "b.x"], ["b.y", "b.*"]];
/** Messages kept, so that outages leave gaps. */
const KEPT = 60;
const STEPS = 60;
const LIMIT = { timeout: 60_000 };

type Random = (below: number) => number;

/** A small generator of random numbers (mulberry32): the same seed gives the same chaos, as far as sockets allow. */
function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function treatmentFrom(random: Random): Treatment {
  const fate = random(10);
  return {
    openAfter: random(3) === 0 ? random(40) : 0,
    ...(random(2) === 0 && { piece: 1 + random(1500), every: random(3) }),
    ...(fate < 6 && { cutAfter: 50 + random(20_000) }),
    ...(fate === 6 && { stallAfter: 50 + random(5000) }),
  };
}

/** Everything that was published, in its order, over all logs there were. */
class Published {
  readonly #all: { readonly id: string; readonly channel: string }[] = [];
  readonly #places = new Map<string, number>();

  add(id: string, channel: string): void {
    this.#places.set(id, this.#all.push({ id, channel }) - 1);
  }

  /** The number of messages up to and with a cursor, which need not be the id of one. */
  upTo(cursor: string): number {
    const exact = this.#places.get(cursor);
    if (exact !== undefined) return exact + 1;
    const [epoch, offset] = cursor.split("-");
    const before = this.#all.findLastIndex(({ id }) => {
      const [other, place] = id.split("-");
      return other === epoch && Number(place) <= Number(offset);
    });
    const first = this.#all.findIndex(({ id }) => id.startsWith(`${epoch}-`));
    return before === -1 ? Math.max(first, 0) : before + 1;
  }

  /** The ids on channels that patterns cover, between two numbers of messages. */
  between(from: number, to: number, patterns: readonly string[]): string[] {
    return this.#all
      .slice(from, to)
      .filter(({ channel }) => patterns.some((pattern) => new RegExp(`^${pattern.replace("*", ".*")}$`).test(channel)))
      .map(({ id }) => id);
  }
}

/** A subscription, and everything it was given. */
class Witness {
  readonly hub: Hub;
  readonly patterns: readonly string[];
  readonly got: (Message | Gap)[] = [];
  /** Where it began; undefined until it is ready. */
  start: string | undefined;
  ended = false;

  constructor(hub: Hub, patterns: readonly string[], random: Random, after: string | undefined) {
    this.hub = hub;
    this.patterns = patterns;
    this.start = after;
    const options = {
      ...(after !== undefined && { after }),
      onGap: (gap: Gap): void => void this.got.push(gap),
      onEnd: (): void => void (this.ended = true),
    };
    const isSlow = random(2) === 0;
    const subscription = isSlow
      ? hub.subscribe(patterns, { ...options, buffer: 1 + random(20) })
      : hub.subscribe(patterns, { ...options, onMessage: (message) => this.got.push(message) });
    if (isSlow) void this.#iterate(subscription, random);
    subscription.ready.then(
      () => (this.start ??= subscription.cursor),
      () => {},
    );
  }

  /** The cursor it would go on from. */
  get last(): string | undefined {
    const last = this.got.at(-1);
    return last === undefined ? undefined : "reason" in last ? last.resumed : (last.id ?? undefined);
  }

  /** Every message of its channels came once and in order, or a gap covers it; and nothing came that a gap covers. */
  check(published: Published, end: string, told: string): void {
    const { start, got, patterns } = this;
    const shown = (): string =>
      `${patterns.join()} from ${start}: ${got.map((item) => ("reason" in item ? JSON.stringify(item) : item.id)).join(" ")}; ${told}`;
    // What is no longer kept when all that is kept is asked for is no gap, and what comes before it is ready is a gift.
    const first = got.find((item): item is Message => !("reason" in item));
    const gift = first === undefined ? Infinity : published.upTo(first.id as string) - 1;
    const begin = start === undefined || start === "earliest" ? gift : Math.min(published.upTo(start), gift);
    let at = begin === Infinity ? published.upTo(end) : begin;
    for (const item of got) {
      const to = published.upTo("reason" in item ? item.resumed : (item.id as string));
      if ("reason" in item) {
        const missed = published.between(at, published.upTo(item.after), patterns);
        assert.deepEqual(missed, [], `missing before a gap in ${shown()}`);
        assert.ok(to >= at, `a gap goes back in ${shown()}`);
      } else assert.deepEqual(published.between(at, to, patterns), [item.id], `not the next in ${shown()}`);
      at = to;
    }
    assert.deepEqual(published.between(at, published.upTo(end), patterns), [], `missing at the end of ${shown()}`);
  }

  async #iterate(subscription: Subscription, random: Random): Promise<void> {
    for await (const message of subscription) {
      this.got.push(message);
      if (random(4) === 0) await pause(random(8));
    }
  }
}

/** Hubs in front of a network that breaks, and everything that happens to them. */
class Storm implements AsyncDisposable {
  readonly witnesses: Witness[] = [];
  readonly published = new Published();
  newest = "";
  readonly #rig: HubRig;
  readonly #random: Random;
  readonly #open: (url: string) => Hub;
  readonly #hubs: Hub[] = [];

  constructor(rig: HubRig, random: Random, hubs: number, open: (url: string) => Hub) {
    this.#rig = rig;
    this.#random = random;
    this.#open = open;
    rig.front.treat = () => treatmentFrom(random);
    for (let n = 0; n < hubs; n++) this.#join();
  }

  async step(): Promise<void> {
    const random = this.#random;
    const { control, front } = this.#rig;
    await this.publish(random(6));
    const event = random(20);
    if (event < 3) front.cut();
    else if (event < 5)
      this.#watch(this.#any(this.#hubs), this.#any(["earliest", this.newest, this.#any(this.witnesses).last]));
    else if (event === 5) {
      await control.stop();
      await control.start(random(3) === 0);
    } else if (event === 6) await this.publish(KEPT + random(20));
    else if (event === 7) {
      this.#hubs.splice(random(this.#hubs.length), 1)[0]?.close();
      this.#join();
    } else await pause(random(25));
  }

  async publish(count: number, channels: readonly string[] = CHANNELS): Promise<void> {
    for (let n = 0; n < count; n++) {
      const channel = this.#any(channels);
      this.newest = await this.#rig.control.publish(channel, "x".repeat(this.#random(300)));
      this.published.add(this.newest, channel);
    }
  }

  /** Whether everyone has got the last message that is theirs. */
  get isOver(): boolean {
    const { published } = this;
    const all = published.upTo(this.newest);
    return this.witnesses.every(({ ended, last, patterns }) => {
      const due = published.between(0, all, patterns).at(-1);
      // A gap may reach further than the last message that is missing in it.
      return ended || (last !== undefined && due !== undefined && published.upTo(last) >= published.upTo(due));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hub of this.#hubs) hub.close();
  }

  #join(): void {
    const hub = this.#open(this.#rig.front.url);
    this.#hubs.push(hub);
    this.#watch(hub, undefined);
    this.#watch(hub, undefined);
  }

  #watch(hub: Hub, after: string | undefined): void {
    this.witnesses.push(new Witness(hub, this.#any(PATTERNS), this.#random, after));
  }

  #any<Item>(items: readonly Item[]): Item {
    return items[this.#random(items.length)] as Item;
  }
}

for (const { name, transport, hubs } of [
  { name: "SSE", transport: "sse", hubs: 1 },
  { name: "WebSocket", transport: "websocket", hubs: 1 },
  { name: "SSE that four tabs share", transport: "sse", hubs: 4 },
  { name: "a WebSocket that four tabs share", transport: "websocket", hubs: 4 },
] as const) {
  it(
    `over ${name} on a network that breaks, every message comes once and in order, or is in a gap`,
    LIMIT,
    async (test) => {
      const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      const told = `SEED=${seed}`;
      test.diagnostic(told);
      const random = randomFrom(seed);
      await using rig = await HubRig.open({ retentionMessages: KEPT, heartbeat: 0.3 });
      const options = { transport, share: hubs > 1, retry: 5, retryMost: 40, silence: 700 };
      await using storm = new Storm(rig, random, hubs, (url) => connect(url, options));
      const { witnesses, published } = storm;
      await storm.publish(1);
      for (let step = 0; step < STEPS; step++) await storm.step();
      rig.front.treat = () => ({});
      await until(`all are ready; ${told}`, () => witnesses.every(({ start, ended }) => start !== undefined || ended));
      for (const channel of CHANNELS) await storm.publish(1, [channel]);
      await until(`all have the last; ${told}`, () => storm.isOver);
      for (const witness of witnesses) {
        if (!witness.ended) witness.check(published, storm.newest, told);
        else if (witness.last !== undefined) witness.check(published, witness.last, told);
      }
    },
  );
}
