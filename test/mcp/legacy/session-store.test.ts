import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ANYONE, type Principal } from "../../../src/core/principal.ts";
import type { McpContext } from "../../../src/mcp/catalog.ts";
import { Changes, type Extras } from "../../../src/mcp/definitions.ts";
import { clientOf } from "../../../src/mcp/legacy/session-state.ts";
import { SessionStore } from "../../../src/mcp/legacy/session-store.ts";
import type { LegacySession } from "../../../src/mcp/legacy/session.ts";
import { Sealer } from "../../../src/core/seal.ts";
import type { SessionStoreOptions } from "../../../src/mcp/legacy/session-store.ts";
import { calling, Held } from "../../support/legacy-tools.ts";
import { Line } from "../../support/line.ts";
import { mcpContext } from "../../support/mcp-context.ts";
import { draftOf } from "../../support/sample.ts";
import { until } from "../../support/until.ts";

const CLIENT = clientOf({
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "0" },
});
const OWNER = { principal: ANYONE, stay: () => () => {} };
const FULL = { code: "TOO_MANY_CONNECTIONS" };

/** Sessions as an HTTP server would use them, without one. */
class House implements AsyncDisposable {
  readonly context: McpContext & AsyncDisposable;
  readonly store: SessionStore;

  private constructor(context: McpContext & AsyncDisposable, options: Partial<SessionStoreOptions>) {
    this.context = context;
    this.store = new SessionStore(context, {
      most: 10,
      idle: 60_000,
      sealer: new Sealer(),
      report: () => {},
      ...options,
    });
  }

  static async open(options: Partial<SessionStoreOptions> = {}, extras: Extras = {}): Promise<House> {
    return new House(await mcpContext(extras), options);
  }

  async begin(principal: Principal = ANYONE): Promise<LegacySession> {
    const holder = principal.kind === "anonymous" ? undefined : principal.id;
    const { session, leave } = await this.store.begin({ ...OWNER, principal, holder }, CLIENT);
    leave();
    return session;
  }

  async finds({ id }: LegacySession, principal: Principal = ANYONE): Promise<boolean> {
    return (await this.store.find(id, { ...OWNER, principal })) !== undefined;
  }

  /** Notes that a session is used, and no more. */
  touch(session: LegacySession): void {
    this.store.use(session)();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.close();
    await this.context[Symbol.asyncDispose]();
  }
}

/** Has a session call a tool that answers when it is told to. */
function hold(session: LegacySession, id: string | number): void {
  session.receive([{ jsonrpc: "2.0", ...calling(id, "hold") }], OWNER, session.stream(undefined));
}

describe("sessions", { concurrency: true }, () => {
  it("[MCP-10] make room, at the limit, by ending the one that was used longest ago", async () => {
    await using house = await House.open({ most: 3 });
    const [a, b, c] = [await house.begin(), await house.begin(), await house.begin()];
    house.touch(a);
    const d = await house.begin();
    const found = await Promise.all([b, a, c, d].map((session) => house.finds(session)));
    assert.deepEqual(found, [false, true, true, true]);
    assert.equal(house.store.evicted, 1);
  });

  it("in use are not ended for others: there is no room then", async () => {
    const held = new Held();
    await using house = await House.open({ most: 2 }, { tools: [held.tool] });
    const [a, b] = [await house.begin(), await house.begin()];
    const leaveA = house.store.use(a);
    const leaveB = house.store.use(b);
    hold(b, 1);
    await until("it is held", () => held.calls.length === 1);
    await assert.rejects(house.begin(), { ...FULL, message: /^2 sessions are open and in use/ });
    leaveB();
    await house.begin();
    assert.deepEqual([await house.finds(a), await house.finds(b), held.cancelled], [true, false, 1]);
    leaveA();
    leaveA();
    await house.begin();
    await house.begin();
    assert.equal(await house.finds(a), false);
  });

  it("[LIM-6] of one credential make room for each other once they are half of all, never those of others", async () => {
    await using house = await House.open({ most: 4 });
    const busy: Principal = { ...ANYONE, kind: "key", id: "key:busy" };
    const other: Principal = { ...ANYONE, kind: "key", id: "key:other" };
    const oldest = await house.begin(other);
    const [a, b] = [await house.begin(busy), await house.begin(busy)];
    house.touch(a);
    const c = await house.begin(busy);
    assert.deepEqual([await house.finds(b, busy), await house.finds(oldest, other)], [false, true]);
    const leaves = [a, c].map((session) => house.store.use(session));
    await assert.rejects(house.begin(busy), { ...FULL, message: /^2 sessions of this credential or address/ });
    assert.equal(house.store.size, 3);
    await house.begin(other);
    for (const leave of leaves) leave();
    await house.store.end(a);
    await house.begin(busy);
    assert.deepEqual([await house.finds(c, busy), house.store.evicted], [true, 1]);
  });

  it("[MCP-10] end when they were not used for long enough, and not before", async () => {
    const held = new Held();
    await using house = await House.open({ idle: 200 }, { tools: [held.tool] });
    const working = await house.begin();
    hold(working, 1);
    const listening = await house.begin();
    const leave = house.store.use(listening);
    const idle = await house.begin();
    await until("the idle one is over", async () => !(await house.finds(idle)));
    const since = performance.now();
    await until("as long again has passed", () => performance.now() > since + 500);
    assert.equal(house.store.size, 2);
    held.calls[0]?.answer("done");
    leave();
    await until("both are over", () => house.store.size === 0);
    assert.equal(house.context.hub.size, 0);
  });

  it("belong to who opened them: no one else finds them", async () => {
    await using house = await House.open();
    const other: Principal = { ...ANYONE, id: "somebody else" };
    const [mine, theirs] = [await house.begin(), await house.begin(other)];
    assert.deepEqual([await house.finds(mine), await house.finds(theirs, other)], [true, true]);
    assert.deepEqual([await house.finds(mine, other), await house.finds(theirs)], [false, false]);
  });

  it("are opened no more while the server drains; those there are go on, and end with it", async () => {
    await using house = await House.open();
    const session = await house.begin();
    const line = new Line(session);
    house.store.drain();
    await assert.rejects(house.begin(), { code: "SHUTTING_DOWN" });
    assert.deepEqual((await line.ask("ping")).result, {});
    house.store.close();
    assert.deepEqual([house.store.size, house.context.hub.size, await house.finds(session)], [0, 0, false]);
  });

  it("are told of new channels, and of changed tools and prompts, if they listen", async () => {
    const changes = new Changes();
    await using house = await House.open({}, { changes });
    const lines = [await house.begin(), await house.begin()].map((session) => {
      const line = new Line(session);
      session.subscriptions.listening(true);
      return line;
    });
    const { hub } = house.context;
    const told = async (count: number): Promise<unknown[]> => {
      await until("all are told", () => lines.every(({ sent }) => sent.length === count));
      return lines.map(({ sent }) => sent.slice(-1)[0]?.method);
    };
    const both = (method: string): string[] => [`notifications/${method}`, `notifications/${method}`];
    await hub.publish(draftOf("new", 1));
    assert.deepEqual(await told(1), both("resources/list_changed"));
    await hub.publish(draftOf("new", 2));
    changes.announce("tools");
    assert.deepEqual(await told(2), both("tools/list_changed"));
    changes.announce("prompts");
    assert.deepEqual(await told(3), both("prompts/list_changed"));
    await hub.publish(draftOf("newer", 1));
    assert.deepEqual(await told(4), both("resources/list_changed"));
    house.store.close();
    changes.announce("tools");
    assert.deepEqual(await told(4), both("resources/list_changed"));
  });

  it("keep nothing for requests that are answered or cancelled", async () => {
    const held = new Held();
    await using house = await House.open({}, { tools: [held.tool] });
    const session = await house.begin();
    for (let n = 0; n < 20; n++) {
      hold(session, `c${n}`);
      hold(session, `a${n}`);
      await until("both are held", () => held.calls.length === 2 * n + 2);
      session.receive([{ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: `c${n}` } }], OWNER);
      held.calls.at(-1)?.answer("for no one");
    }
    await until("all is answered", () => session.atWork === 0);
    assert.equal(session.isInUse("c0") || session.isInUse("a0"), false);
    assert.equal(held.cancelled, 20);
  });
});
