import type * as client from "../../src/client/index.ts";
import type { HubControl } from "../support/hub-rig.ts";

/** Where a behaviour takes place: the library in some runtime, and a hub that it does not reach otherwise. */
export interface World {
  readonly client: typeof client;
  readonly transport: "sse" | "websocket";
  /** Whether it takes part in what tabs share. */
  readonly share: boolean;
  /** The hub's address, through the front. */
  readonly url: string;
  readonly hub: HubControl;
}

export interface Behaviour {
  /** What follows "the client" in a sentence. */
  readonly title: string;
  /** What the hub is configured with. */
  readonly config?: {
    readonly retentionMessages?: number;
    readonly heartbeat?: number;
    readonly maxConnections?: number;
  };
  run(world: World): Promise<void>;
}

type Options = Parameters<typeof client.connect>[1];

/** A hub of this world that comes back at once; no two share a connection. */
function connect({ client: { connect: open }, url, transport, share }: World, options: Options = {}): client.Hub {
  return open(url, { transport, retry: 20, share: share && `test ${++opened}`, ...options });
}

let opened = 0;

/** Compares plain data, as JSON, with a message that shows both: `node:assert` is not there in a browser. */
function equal(actual: unknown, expected: unknown, what = "not equal"): void {
  const [shown, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  if (shown !== wanted) throw new Error(`${what}\n+ actual   ${shown}\n- expected ${wanted}`);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 20 seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Collects what a subscription brings, gaps among the messages. */
function collect(
  hub: client.Hub,
  channels: string | readonly string[],
  options: client.SubscribeOptions = {},
): {
  readonly data: unknown[];
  readonly gaps: client.Gap[];
  readonly subscription: client.Subscription;
  ended: unknown;
} {
  const data: unknown[] = [];
  const gaps: client.Gap[] = [];
  const subscription = hub.subscribe(channels, {
    onMessage: (message) => data.push(message.data),
    onGap: (gap) => {
      data.push("gap");
      gaps.push(gap);
    },
    onEnd: (error) => (collected.ended = error?.code ?? "closed"),
    ...options,
  });
  const collected = { data, gaps, subscription, ended: undefined as unknown };
  return collected;
}

/** The code that something rejects or throws with. */
async function codeOf(what: () => unknown): Promise<unknown> {
  try {
    await what();
  } catch (error) {
    return (error as client.HubClientError).code;
  }
  return "nothing was thrown";
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** Publishes 5 numbers, backs the log up, and publishes 10 more; resolves with where the copy ends. */
async function publishPastBackUp(
  { hub }: World,
  allHere: () => boolean,
  comeBack: () => Promise<unknown> = async () => {},
): Promise<string> {
  await hub.publishMany("a", 4);
  const end = await hub.publish("a", 4);
  await hub.stop();
  await hub.backUp();
  await hub.start();
  await comeBack();
  await hub.publishMany("a", 10, 5);
  await until("all have them", allHere);
  return end;
}

export const behaviours: readonly Behaviour[] = [
  {
    title: "gives each message to the subscriptions that cover it, once and in order, over one connection",
    async run(world) {
      await using hub = connect(world);
      const orders = collect(hub, "orders.*");
      const both = collect(hub, ["orders.eu", "other"]);
      const all = collect(hub, "*");
      await Promise.all([orders, both, all].map(({ subscription }) => subscription.ready));
      await world.hub.publish("orders.eu", 1);
      await world.hub.publish("orders.us", 2);
      await world.hub.publish("other", { n: [3] });
      await until("three messages", () => all.data.length === 3);
      equal(
        [orders.data, both.data, all.data],
        [
          [1, 2],
          [1, { n: [3] }],
          [1, 2, { n: [3] }],
        ],
      );
      equal([await world.hub.readers(), hub.state.kind], [1, "live"]);
    },
  },
  {
    title: "lets a subscription be iterated over, ends it with break, and closes the connection with the last one",
    async run(world) {
      await using hub = connect(world);
      equal(hub.state, { kind: "idle" });
      const subscription = hub.subscribe<number>("a");
      await subscription.ready;
      await world.hub.publishMany("a", 5);
      const data: number[] = [];
      for await (const message of subscription) {
        equal([message.channel, message.event, message.sender], ["a", "message", "anyone"]);
        equal(message.id, subscription.cursor);
        data.push(message.data);
        if (data.length === 3) break;
      }
      equal(data, [0, 1, 2]);
      await world.hub.untilReaders(0);
      await until("it rests", () => hub.state.kind === "idle");
    },
  },
  {
    title: "comes back after a cut and gets what it missed, and nothing twice",
    async run(world) {
      await using hub = connect(world);
      const states: string[] = [];
      hub.onState(({ kind }) => states.push(kind));
      const a = collect(hub, "a");
      await a.subscription.ready;
      await world.hub.publish("a", 0);
      await until("the first", () => a.data.length === 1);
      for (let round = 0; round < 3; round++) {
        await world.hub.cut();
        await world.hub.publishMany("a", 2, 1 + 2 * round);
        await until("what was missed", () => a.data.length === 3 + 2 * round);
      }
      equal(a.data, numbers(7));
      await until("it is live", () => hub.state.kind === "live");
      equal(states.slice(0, 4), ["connecting", "live", "waiting", "connecting"]);
    },
  },
  {
    title: "begins a subscription with all that is kept, or after a message, while others go on",
    async run(world) {
      await using hub = connect(world);
      await world.hub.publishMany("a", 4);
      const second = await world.hub.publish("b", "b");
      await world.hub.publishMany("a", 4, 4);
      const live = collect(hub, "*");
      await live.subscription.ready;
      const earliest = collect(hub, "a", { after: "earliest" });
      const behind = collect(hub, "a", { after: second });
      await Promise.all([earliest.subscription.ready, behind.subscription.ready]);
      await until("one connection again", async () => (await world.hub.readers()) === 1);
      await world.hub.publish("a", 8);
      await until("all have the last", () => [live, earliest, behind].every(({ data }) => data.at(-1) === 8));
      equal([earliest.data, behind.data, live.data], [numbers(9), numbers(5, 4), [8]]);
      await until("one connection", async () => (await world.hub.readers()) === 1);
    },
  },
  {
    title: "begins a subscription after a message that the others have not seen yet, without a gap",
    async run(world) {
      await using hub = connect(world);
      const first = collect(hub, "a");
      await first.subscription.ready;
      for (let n = 0; n < 3; n++) {
        const { id } = await hub.publish("a", n);
        const next = collect(hub, "a", { after: id });
        await next.subscription.ready;
        await world.hub.publish("a", "end");
        await until("the end", () => next.data.length === 1);
        equal(next.data, ["end"]);
        next.subscription.close();
      }
      await until("all", () => first.data.length === 6);
      equal(first.gaps, []);
    },
  },
  {
    title: "gives a second subscription from now on nothing that came before it",
    async run(world) {
      await using hub = connect(world);
      const first = collect(hub, "a");
      await first.subscription.ready;
      await world.hub.publishMany("b", 3);
      const second = collect(hub, ["a", "b"]);
      await second.subscription.ready;
      await world.hub.publish("b", 3);
      await world.hub.publish("a", 4);
      await until("both", () => second.data.length === 2 && first.data.length === 1);
      equal([first.data, second.data], [[4], [3, 4]]);
    },
  },
  {
    title: "reports a gap for what was dropped while it was away, with the place it had",
    config: { retentionMessages: 3 },
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      const b = collect(hub, "b");
      await a.subscription.ready;
      await world.hub.publish("a", 0);
      await until("the first", () => a.data.length === 1);
      const { cursor } = a.subscription;
      await world.hub.answer("GET /", 503);
      await world.hub.cut();
      await world.hub.publishMany("a", 9, 1);
      await world.hub.answer("");
      await until("the last", () => a.data.at(-1) === 9);
      equal(a.data, [0, "gap", 7, 8, 9]);
      equal([a.gaps[0]?.reason, a.gaps[0]?.after], ["expired", cursor]);
      equal(b.data, ["gap"]);
    },
  },
  {
    title: "goes on with another log after reporting a gap",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      const id = await world.hub.publish("a", 0);
      await until("the first", () => a.data.length === 1);
      await world.hub.stop();
      await until("it notices", () => hub.state.kind === "waiting");
      await world.hub.start(true);
      await until("the gap", () => a.data.length === 2);
      await world.hub.publish("a", 1);
      await until("the next", () => a.data.length === 3);
      equal(a.data, [0, "gap", 1]);
      equal([a.gaps[0]?.reason, a.gaps[0]?.after], ["unknown_cursor", id]);
      const old = collect(hub, "a", { after: id });
      await old.subscription.ready;
      equal([old.data, old.gaps[0]?.reason], [["gap"], "unknown_cursor"]);
    },
  },
  {
    title: "goes back with a log that was restored from a backup, after reporting a gap",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      const all = collect(hub, "*");
      await Promise.all([a.subscription.ready, all.subscription.ready]);
      const resumed = await publishPastBackUp(world, () => a.data.length === 15 && all.data.length === 15);
      const { cursor } = a.subscription;
      await world.hub.stop();
      await until("it notices", () => hub.state.kind === "waiting");
      await world.hub.restore();
      await world.hub.start();
      await until("it is live", () => hub.state.kind === "live");
      await world.hub.publishMany("a", 15, 100);
      await until("the last", () => a.data.at(-1) === 114 && all.data.at(-1) === 114);
      equal(a.data, [...numbers(15), "gap", ...numbers(15, 100)]);
      equal(all.data, a.data);
      equal(a.gaps, [{ reason: "unknown_cursor", after: cursor, resumed }]);
    },
  },
  {
    title: "goes back with a restored log, also if a slow loop has it read from an earlier place",
    async run(world) {
      // Nobody would wait for so long: only what a test does ends the wait.
      await using hub = connect(world, { retry: 600_000, retryMost: 600_000 });
      const slow = hub.subscribe<number>("a", { buffer: 3 });
      const fast = collect(hub, "a");
      await Promise.all([slow.ready, fast.subscription.ready]);
      await publishPastBackUp(
        world,
        () => fast.data.length === 15,
        () => hub.tools(),
      );
      await world.hub.stop();
      await until("it notices", () => hub.state.kind === "waiting");
      await world.hub.restore();
      await world.hub.start();
      const iterator = slow[Symbol.asyncIterator]();
      const data: number[] = [];
      const take = async (next = iterator.next()): Promise<void> => {
        const { value } = await next;
        if (value !== undefined) data.push(value.data);
      };
      for (let n = 0; n < 3; n++) await take();
      // It wants to read on from an earlier place than the fast one, which is in the part of the log that is lost.
      const fourth = iterator.next();
      await hub.tools();
      await take(fourth);
      await take();
      await until("the fast one went back", () => fast.gaps.length === 1 && hub.state.kind === "live");
      await world.hub.publishMany("a", 15, 100);
      while (data.at(-1) !== 114) await take();
      await until("the last", () => fast.data.at(-1) === 114);
      equal(data, [...numbers(5), ...numbers(15, 100)]);
      equal(fast.data, [...numbers(15), "gap", ...numbers(15, 100)]);
    },
  },
  {
    title: "reports a gap to a subscription after a place that a restored log has lost, whoever was there before",
    async run(world) {
      await using hub = connect(world);
      const first = collect(hub, "a");
      await first.subscription.ready;
      await publishPastBackUp(world, () => first.data.length === 15);
      const { cursor } = first.subscription;
      await world.hub.stop();
      await world.hub.restore();
      await world.hub.start();
      await until("it went back", () => first.gaps.length === 1 && hub.state.kind === "live");
      const beside = collect(hub, "a", { after: cursor });
      await beside.subscription.ready;
      first.subscription.close();
      beside.subscription.close();
      const after = collect(hub, "a", { after: cursor });
      await after.subscription.ready;
      await world.hub.publishMany("a", 15, 100);
      await until("the last", () => after.data.at(-1) === 114);
      equal([beside.data, after.data], [["gap"], ["gap", ...numbers(15, 100)]]);
    },
  },
  {
    title: "takes no place, and an empty one, for from now on",
    async run(world) {
      await using hub = connect(world);
      await world.hub.publish("a", 0);
      const readers = ["", null, undefined].map((after) => collect(hub, "a", { after }));
      await Promise.all(readers.map(({ subscription }) => subscription.ready));
      await world.hub.publish("a", 1);
      await until("the message", () => readers.every(({ data }) => data.length === 1));
      equal(
        readers.map(({ data }) => data),
        [[1], [1], [1]],
      );
    },
  },
  {
    title: "waits for a server that stopped, and says when it tries again",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      const codes = new Set<string>();
      let soonest = Infinity;
      hub.onState((state) => {
        if (state.kind !== "waiting") return;
        codes.add(state.error.code);
        soonest = Math.min(soonest, state.until - Date.now());
        equal([state.error.final, state.error instanceof world.client.HubClientError], [false, true]);
      });
      await world.hub.stop();
      await until("it cannot be reached", () => codes.has("UNREACHABLE"));
      equal(soonest >= 5, true, "waits");
      await world.hub.start();
      await world.hub.publish("a", 1);
      await until("the message", () => a.data.length === 1);
      equal([a.data, a.ended], [[1], undefined]);
    },
  },
  {
    title: "ends with the error if trying again is of no use",
    async run(world) {
      const problem = (code: string): string => JSON.stringify({ code, detail: "because" });
      const answers = [
        [401, "", "UNAUTHENTICATED"],
        [403, "", "FORBIDDEN"],
        [403, problem("ORIGIN_NOT_ALLOWED"), "ORIGIN_NOT_ALLOWED"],
        [404, "<html>", "NOT_A_HUB"],
        [200, "<html>", "NOT_A_HUB"],
      ] as const;
      for (const [status, body, code] of answers) {
        await world.hub.answer("GET /", status, { "content-type": "text/html" }, body);
        await using hub = connect(world);
        const a = collect(hub, "a");
        equal(await codeOf(() => a.subscription.ready), code);
        const ended = hub.state.kind === "closed" ? hub.state.error : undefined;
        equal([ended?.code, ended?.final, a.ended], [code, true, code]);
        equal(await codeOf(() => hub.subscribe("a")), "CLOSED");
        equal(await codeOf(() => hub.publish("a", 1)), "CLOSED");
      }
    },
  },
  {
    title: "throws the error into the loop that iterates",
    async run(world) {
      await world.hub.answer("GET /", 403);
      await using hub = connect(world);
      const code = await codeOf(async () => {
        for await (const message of hub.subscribe("a")) equal(message, undefined, "a message came");
      });
      equal(code, "FORBIDDEN");
    },
  },
  {
    title: "asks a busy server again, and not before the time it gives",
    async run(world) {
      for (const [status, code] of [
        [429, "RATE_LIMITED"],
        [503, "UNAVAILABLE"],
      ] as const) {
        await world.hub.answer("GET /", status, { "retry-after": "1" });
        await using hub = connect(world);
        let wait = 0;
        hub.onState((state) => {
          if (state.kind === "waiting") wait = state.until - Date.now();
        });
        const a = collect(hub, "a");
        await until("it waits", () => hub.state.kind === "waiting");
        const state = hub.state as client.HubState & { kind: "waiting" };
        equal(state.error.code, code);
        equal(wait > 900 && wait < 1100, true, `it waits ${wait}`);
        await world.hub.answer("");
        await a.subscription.ready;
        equal(Date.now() >= state.until - 20, true, "it kept to it");
      }
    },
  },
  {
    title: "waits for a place if there are too many connections",
    config: { maxConnections: 1 },
    async run(world) {
      await using first = connect(world);
      await collect(first, "a").subscription.ready;
      await using second = connect(world);
      const a = collect(second, "a");
      await until("it waits", () => second.state.kind === "waiting");
      const { error, until: then } = second.state as client.HubState & { kind: "waiting" };
      equal([error.code, error.final, error.status, error.retryAfter], ["TOO_MANY_CONNECTIONS", false, 503, 2000]);
      equal(then > Date.now() + 1500, true, "it keeps to Retry-After");
      first.close();
      await a.subscription.ready;
    },
  },
  {
    title: "takes a strange answer for an accident once it has met the hub",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      await world.hub.answer("GET /", 200, { "content-type": "text/html" }, "<p>Log in to this network");
      await world.hub.cut();
      await until("it waits", () => hub.state.kind === "waiting" && hub.state.error.code === "NOT_A_HUB");
      await world.hub.answer("");
      await world.hub.publish("a", 1);
      await until("the message", () => a.data.length === 1);
    },
  },
  {
    title: "asks for other headers once if it is not authorised",
    async run(world) {
      let token = "old";
      const headers = async (): Promise<Record<string, string>> => {
        const authorization = `Bearer ${token}`;
        token = "new";
        return { authorization };
      };
      await world.hub.answer("Bearer old", 401);
      await using hub = connect(world, { headers });
      // No browser sends them with the handshake, but the hub is asked why it refused that, too.
      if (world.transport === "websocket") await world.hub.answer("GET /", 401);
      const a = collect(hub, "a");
      if (world.transport === "sse") {
        await a.subscription.ready;
        await world.hub.answer("GET /", 401);
        await world.hub.cut();
      }
      await until("it is refused for good", () => a.ended === "UNAUTHENTICATED");
      const heads = await world.hub.heads();
      equal(
        [heads.some((head) => /Bearer old/.test(head)), heads.some((head) => /Bearer new/.test(head))],
        [true, true],
      );
    },
  },
  {
    title: "waits no longer once the hub answers something else",
    async run(world) {
      await using hub = connect(world, { retry: 600_000, retryMost: 600_000 });
      const a = collect(hub, "a");
      await a.subscription.ready;
      await world.hub.stop();
      await until("it waits", () => hub.state.kind === "waiting");
      await world.hub.start();
      await hub.publish("a", 1);
      await until("the message", () => a.data.length === 1);
      equal(a.gaps, []);
    },
  },
  {
    title: "tells each wait once, however many join while it lasts",
    async run(world) {
      await world.hub.stop();
      await using hub = connect(world);
      const waits: number[] = [];
      hub.onState((state) => state.kind === "waiting" && waits.push(state.until));
      const readers = [collect(hub, "a")];
      await until("it waits", () => waits.length > 0);
      for (const channel of ["b", "c", "d"]) readers.push(collect(hub, channel));
      await until("it waits longer", () => waits.length > 3);
      await world.hub.start();
      await Promise.all(readers.map(({ subscription }) => subscription.ready));
      equal(waits, [...new Set(waits)]);
    },
  },
  {
    title: "refuses an address and a pattern that cannot be right, before anything is sent",
    async run(world) {
      for (const url of ["nowhere://x", "http://", "ftp://x"]) {
        equal(await codeOf(() => world.client.connect(url)), "INVALID_URL");
      }
      await using hub = connect(world);
      for (const pattern of ["", "a b", "a.*.b", "*.a", "a..b", []]) {
        equal(await codeOf(() => hub.subscribe(pattern)), "INVALID_PATTERN");
      }
      equal(hub.state.kind, "idle");
    },
  },
  {
    title: "ends a subscription that the hub refuses, and no other",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      const many = collect(
        hub,
        numbers(101).map((n) => `c${n}`),
      );
      equal(await codeOf(() => many.subscription.ready), "TOO_MANY_CHANNELS");
      await world.hub.publish("a", 1);
      await until("the message", () => a.data.length === 1);
      equal([many.ended, a.ended], ["TOO_MANY_CHANNELS", undefined]);
      const late = collect(
        hub,
        numbers(101).map((n) => `c${n}`),
        { after: "earliest" },
      );
      equal(await codeOf(() => late.subscription.ready), "TOO_MANY_CHANNELS");
      await world.hub.publish("a", 2);
      await until("the next", () => a.data.length === 2);
    },
  },
  {
    title: "ends each subscription once, also if its end subscribes again",
    async run(world) {
      const hub = connect(world);
      const codes: unknown[] = [];
      let left = 50;
      const subscribe = (): unknown =>
        hub.subscribe("a", {
          onEnd: (error) => {
            codes.push(error?.code ?? hub.state.kind);
            try {
              if (left-- > 0) subscribe();
            } catch (failure) {
              codes.push((failure as client.HubClientError).code);
            }
          },
        });
      subscribe();
      hub.close();
      equal(codes, ["closed", "CLOSED"]);
    },
  },
  {
    title: "refuses those who ask for too much again as often as they ask",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      let refused = 0;
      let turns = 0;
      let turn = 0;
      const subscribe = (): unknown =>
        hub.subscribe(
          numbers(101).map((n) => `c${n}`),
          {
            onEnd: () => {
              // All that happens in one go is one turn.
              if (turn === 0) {
                turn = ++turns;
                queueMicrotask(() => (turn = 0));
              }
              if (++refused < 3) subscribe();
            },
          },
        );
      subscribe();
      await until("it gives up", () => refused === 3);
      equal([turns, a.ended], [3, undefined]);
    },
  },
  {
    title: "leaves a connection on which nothing comes, not even heartbeats",
    config: { heartbeat: 1 },
    async run(world) {
      // Over a WebSocket the server says how often it beats.
      await using hub = connect(world, world.transport === "sse" ? { silence: 4000 } : {});
      const codes: string[] = [];
      hub.onState((state) => state.kind === "waiting" && codes.push(state.error.code));
      const a = collect(hub, "a");
      await a.subscription.ready;
      const start = Date.now();
      await until("some heartbeats", () => Date.now() - start > 5000);
      equal(codes, []);
      await world.hub.stall(true);
      await world.hub.publish("a", 1);
      await until("it is silent", () => codes.includes("SILENT"));
      await world.hub.stall(false);
      await world.hub.cut();
      await until("the message", () => a.data.length === 1);
    },
  },
  {
    title: "keeps few messages for a slow loop, loses none, and gives the others theirs meanwhile",
    async run(world) {
      await using hub = connect(world);
      const slow = hub.subscribe<number>("a", { after: "earliest", buffer: 5 });
      const fast = collect(hub, "a");
      await Promise.all([slow.ready, fast.subscription.ready]);
      await world.hub.publishMany("a", 30);
      await until("the fast one has all", () => fast.data.length === 30);
      const data: number[] = [];
      for await (const message of slow) {
        equal(message.id, slow.cursor);
        data.push(message.data);
        if (data.length === 17) await world.hub.publishMany("a", 20, 30);
        if (data.length === 50) break;
      }
      equal(data, numbers(50));
      await until("the fast one has all", () => fast.data.length === 50);
      equal(fast.data, numbers(50));
    },
  },
  {
    title: "gives each message to one of several loops over a subscription, and ends them all",
    async run(world) {
      await using hub = connect(world);
      const subscription = hub.subscribe<number>("a");
      await subscription.ready;
      const data: number[] = [];
      let ended = 0;
      const loop = async (): Promise<void> => {
        for await (const message of subscription) data.push(message.data);
        ended++;
      };
      const loops = [loop(), loop(), loop()];
      for (const n of numbers(9)) {
        await world.hub.publish("a", n);
        await until("it was taken", () => data.length === n + 1);
      }
      equal(data, numbers(9));
      subscription.close();
      await until("all have ended", () => ended === 3);
      await Promise.all(loops);
    },
  },
  {
    title: "ends a subscription with the return of its iterator, also while that waits, or has not begun",
    async run(world) {
      await using hub = connect(world);
      for (const begun of [true, false]) {
        const subscription = hub.subscribe("a");
        await subscription.ready;
        const iterator = subscription[Symbol.asyncIterator]();
        const next = begun ? iterator.next() : undefined;
        let returned: unknown;
        void iterator.return?.().then((result) => (returned = result));
        await until("it returns", () => returned !== undefined);
        equal([await next, returned], [begun ? { done: true } : undefined, { done: true }]);
        await world.hub.untilReaders(0);
      }
    },
  },
  {
    title: "changes what it reads with its subscriptions",
    async run(world) {
      await using hub = connect(world);
      const a = collect(hub, "a");
      await a.subscription.ready;
      const b = collect(hub, "b.*");
      await b.subscription.ready;
      await world.hub.publish("b.c", 1);
      await until("one", () => b.data.length === 1);
      b.subscription.close();
      equal(b.ended, "closed");
      const c = collect(hub, "c");
      await c.subscription.ready;
      for (const channel of ["b.c", "a", "c"]) await world.hub.publish(channel, channel);
      await until("the last", () => c.data.length === 1 && a.data.length === 1);
      equal([a.data, b.data, c.data, await world.hub.readers()], [["a"], [1], ["c"], 1]);
    },
  },
  {
    title: "only looks on if told to: it gets everything, and does not count as a receiver",
    async run(world) {
      await using watcher = connect(world, { watch: true });
      await using hub = connect(world);
      const all = collect(watcher, "*");
      await all.subscription.ready;
      equal((await hub.publish("a", 1)).receivers, 0);
      const own = collect(hub, "a");
      await own.subscription.ready;
      equal((await hub.publish("a", 2)).receivers, 1);
      await until("all came", () => all.data.length === 2 && own.data.length === 1);
      equal([all.data, own.data], [[1, 2], [2]]);
    },
  },
  {
    title: "publishes with a receipt, with every option, and once if an answer is lost",
    async run(world) {
      await using hub = connect(world);
      const seen: client.Message[] = [];
      const subscription = hub.subscribe("a", { onMessage: (message) => seen.push(message) });
      await subscription.ready;
      const receipt = await hub.publish("a", { n: 1 }, { event: "order", sender: "shop" });
      equal([receipt.channel, receipt.receivers], ["a", 1]);
      await until("it came", () => seen.length === 1);
      const { id, event, sender, data, time } = seen[0] as client.Message;
      equal([id, time, event, sender, data], [receipt.id, receipt.time, "order", "shop", { n: 1 }]);
      equal((await hub.publish("a", 2, { ephemeral: true })).id, null);
      await until("it came", () => seen.length === 2);
      equal(seen[1]?.id, null);
      const keyed = await hub.publish("a", 3, { key: "k" });
      equal((await hub.publish("a", 3, { key: "k" })).id, keyed.id);
      subscription.close();
      await world.hub.untilReaders(0);
      await world.hub.loseAnswer("POST /channels/a/");
      const sent = await hub.publish("a", 4);
      equal(sent.id === null, false);
      const all = collect(hub, "a", { after: "earliest" });
      await all.subscription.ready;
      equal(all.data, [{ n: 1 }, 3, 4]);
    },
  },
  {
    title: "says why a publication or a call was refused",
    async run(world) {
      await using hub = connect(world);
      equal(await codeOf(() => hub.publish("a b", 1)), "INVALID_CHANNEL");
      equal(await codeOf(() => hub.publish("a", "x".repeat(70_000))), "MESSAGE_TOO_LARGE");
      equal(await codeOf(() => hub.publish("a", 1, { event: "live" })), "INVALID_MESSAGE");
      equal(await codeOf(() => hub.call("nothing")), "UNKNOWN_TOOL");
      await hub.publish("a", 1, { key: "k" });
      equal(await codeOf(() => hub.publish("a", 2, { key: "k" })), "IDEMPOTENCY_KEY_REUSED");
      await world.hub.stop();
      await using hasty = connect(world, { timeout: 200 });
      equal(await codeOf(() => hasty.publish("a", 1)), "TIMEOUT");
      equal(await codeOf(() => hub.call("get_server_info")), "UNREACHABLE");
      await world.hub.start();
    },
  },
  {
    title: "lists and calls tools",
    async run(world) {
      await using hub = connect(world);
      equal((await hub.tools()).map(({ name }) => name).slice(0, 2), ["get_server_info", "send_sse_message"]);
      const result = await hub.call("send_sse_message", { message: "hi", channel: "a" });
      equal(result.structuredContent?.["channel"], "a");
      const wrong = await hub.call("send_sse_message", {});
      equal([wrong.isError, wrong.content[0]?.text?.includes("message")], [true, true]);
    },
  },
  {
    title: "says of a message that a tool published it",
    async run(world) {
      await using hub = connect(world);
      const ways: unknown[] = [];
      const { subscription } = collect(hub, "a", { onMessage: ({ data, via }) => ways.push([data, via]) });
      await subscription.ready;
      await hub.publish("a", "person");
      await hub.call("send_sse_message", { message: "agent", channel: "a" });
      await until("both came", () => ways.length === 2);
      equal(ways, [
        ["person", undefined],
        ["agent", "tool"],
      ]);
    },
  },
  {
    title: "ends with signals and with its scope",
    async run(world) {
      const closing = new AbortController();
      const hub = connect(world, { signal: closing.signal });
      const one = new AbortController();
      const a = collect(hub, "a", { signal: one.signal });
      const b = collect(hub, "b");
      await a.subscription.ready;
      one.abort();
      equal([a.ended, b.ended], ["closed", undefined]);
      const late = new AbortController();
      late.abort(new Error("enough"));
      const reason = await hub.publish("a", 1, { signal: late.signal }).catch((error: unknown) => error);
      equal((reason as Error).message, "enough");
      const waiting = hub.call("wait_for_messages", { channels: ["a"], timeoutSeconds: 20 });
      await until("it waits", async () => (await world.hub.readers()) === 2);
      closing.abort();
      equal(await codeOf(() => waiting), "CLOSED");
      equal([b.ended, hub.state], ["closed", { kind: "closed" }]);
      await world.hub.untilReaders(0);
      let inside: client.Hub;
      {
        await using scoped = connect(world);
        inside = scoped;
        await collect(scoped, "a").subscription.ready;
      }
      equal(inside.state, { kind: "closed" });
      await world.hub.untilReaders(0);
    },
  },
];

/** The ways a client can be connected. */
export const WAYS = [
  { name: "SSE", transport: "sse", share: false },
  { name: "WebSocket", transport: "websocket", share: false },
  { name: "SSE that tabs share", transport: "sse", share: true },
  { name: "a WebSocket that tabs share", transport: "websocket", share: true },
] as const;
