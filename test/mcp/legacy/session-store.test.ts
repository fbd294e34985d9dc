import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ANYONE, type Principal } from "../../../src/core/principal.ts";
import { Changes, Sessions, Streamable, type Answer, type Extras } from "../../../src/mcp/index.ts";
import { HttpTransport } from "../../../src/mcp/legacy/http-transport.ts";
import type { McpContext } from "../../../src/mcp/modern/handler.ts";
import type { SessionsOptions } from "../../../src/mcp/legacy/session-store.ts";
import { ACCEPT, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held } from "../../support/legacy-tools.ts";
import { mcpContext } from "../../support/mcp-context.ts";
import { draftOf } from "../../support/sample.ts";
import { until } from "../../support/until.ts";

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "0" } },
};

/** Sessions as an HTTP server would use them, without one. */
class House implements AsyncDisposable {
  readonly context: McpContext & AsyncDisposable;
  readonly sessions: Sessions;
  readonly streamable: Streamable;

  private constructor(context: McpContext & AsyncDisposable, options: Partial<SessionsOptions>) {
    this.context = context;
    this.sessions = new Sessions(context, { most: 10, idle: 60_000, keepAlive: 60_000, report: () => {}, ...options });
    this.streamable = new Streamable(this.sessions);
  }

  static async open(options: Partial<SessionsOptions> = {}, extras: Extras = {}): Promise<House> {
    return new House(await mcpContext(extras), options);
  }

  /** One request; its answer is not read. */
  send(
    method: string,
    session?: string,
    body?: object,
    more: { lastId?: string; by?: Principal } = {},
  ): Promise<Answer> {
    const headers = {
      accept: ACCEPT,
      "content-type": "application/json",
      ...(session === undefined ? {} : { "mcp-session-id": session }),
      ...(more.lastId === undefined ? {} : { "last-event-id": more.lastId }),
    };
    const whole = body === undefined ? undefined : { jsonrpc: "2.0", ...body };
    return this.streamable.handle(new Request("http://localhost/mcp", { method, headers }), whole, more.by ?? ANYONE);
  }

  /** Opens a session and reads the answer; its id, or the status of a refusal. */
  async begin(by?: Principal): Promise<string> {
    const { response, release } = await this.send("POST", undefined, INITIALIZE, by === undefined ? {} : { by });
    await response.text();
    release();
    return response.headers.get("mcp-session-id") ?? String(response.status);
  }

  async ping(session: string, by?: Principal): Promise<number> {
    const { response, release } = await this.send(
      "POST",
      session,
      { id: 1, method: "ping" },
      by === undefined ? {} : { by },
    );
    await response.text();
    release();
    return response.status;
  }

  transport(session: string): HttpTransport {
    const entry = this.sessions.find(session, ANYONE, HttpTransport);
    assert.ok(entry !== undefined);
    return entry.transport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sessions.close();
    await this.context[Symbol.asyncDispose]();
  }
}

/** The messages of an answer, as they come. */
async function* messages({ response }: Answer): AsyncGenerator<RpcMessage> {
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += new TextDecoder().decode(bytes as Uint8Array);
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data !== undefined) yield JSON.parse(data) as RpcMessage;
    }
  }
}

/** How much the SDK keeps for the requests and streams of a session. */
function keptBy(transport: HttpTransport): Record<string, number> {
  const own = transport as unknown as Record<string, Map<unknown, unknown>>;
  return Object.fromEntries(
    ["_streamMapping", "_requestToStreamMapping", "_requestResponseMap"].map((name) => [name, own[name]?.size ?? -1]),
  );
}

describe("sessions", { concurrency: true }, () => {
  it("are never more than there may be, however many are opened at once", async () => {
    await using house = await House.open({ most: 5 });
    const ids = await Promise.all(Array.from({ length: 50 }, () => house.begin()));
    assert.equal(house.sessions.size, 5);
    const statuses = await Promise.all(ids.filter((id) => id !== "503").map((id) => house.ping(id)));
    assert.equal(statuses.filter((status) => status === 200).length, 5);
  });

  it("[MCP-10] make room, at the limit, by ending the one that was used longest ago", async () => {
    await using house = await House.open({ most: 3 });
    const [a, b, c] = [await house.begin(), await house.begin(), await house.begin()];
    assert.equal(await house.ping(a), 200);
    const d = await house.begin();
    const statuses = [];
    for (const id of [b, a, c, d]) statuses.push(await house.ping(id));
    assert.deepEqual(statuses, [404, 200, 200, 200]);
  });

  it("in use are not ended for others: there is no room then", async () => {
    const held = new Held();
    await using house = await House.open({ most: 2 }, { tools: [held.tool] });
    const [a, b] = [await house.begin(), await house.begin()];
    const stream = await house.send("GET", a);
    const posted = await house.send("POST", b, calling(1, "hold"));
    const refused = await house.send("POST", undefined, INITIALIZE);
    assert.equal(refused.response.status, 503);
    const { error, id } = (await refused.response.json()) as RpcMessage;
    assert.deepEqual(
      [id, error?.code, error?.data?.["code"], error?.data?.["retry"]],
      [0, 503, "TOO_MANY_CONNECTIONS", true],
    );
    assert.match(error?.message ?? "", /^2 sessions are open and in use/);
    posted.release();
    const c = await house.begin();
    assert.deepEqual([await house.ping(a), await house.ping(b), await house.ping(c)], [200, 404, 200]);
    assert.equal(held.cancelled, 1, "what an ended session had asked for is cancelled");
    stream.release();
    stream.release();
    assert.notEqual(await house.begin(), "503");
    assert.notEqual(await house.begin(), "503");
    assert.equal(await house.ping(a), 404);
  });

  it("[MCP-10] end when nobody has used them for long enough, and not before", async () => {
    const held = new Held();
    await using house = await House.open({ idle: 200 }, { tools: [held.tool] });
    const idle = await house.begin();
    const listening = await house.begin();
    const working = await house.begin();
    const stream = await house.send("GET", listening);
    const posted = await house.send("POST", working, calling(1, "hold"));
    posted.release();
    await until("the idle one is over", () => house.sessions.size === 2);
    const since = performance.now();
    await until("as long again has passed", () => performance.now() > since + 500);
    assert.equal(house.sessions.size, 2);
    held.calls[0]?.answer("done");
    stream.release();
    await until("both are over", () => house.sessions.size === 0);
    for (const id of [idle, listening, working]) assert.equal(await house.ping(id), 404);
    assert.equal(house.context.hub.size, 0);
  });

  it("belong to who opened them: nobody else finds, ends or resumes them", async () => {
    await using house = await House.open();
    const other: Principal = { ...ANYONE, subject: "somebody else" };
    const mine = await house.begin();
    const theirs = await house.begin(other);
    assert.deepEqual([await house.ping(mine), await house.ping(theirs, other)], [200, 200]);
    assert.deepEqual([await house.ping(mine, other), await house.ping(theirs)], [404, 404]);
    for (const method of ["GET", "DELETE"]) {
      const { response } = await house.send(method, mine, undefined, { by: other });
      assert.equal(response.status, 404);
    }
    assert.equal(await house.ping(mine), 200);
  });

  it("are opened no more while the server drains; those there are go on, and end with it", async () => {
    await using house = await House.open();
    const id = await house.begin();
    const stream = await house.send("GET", id);
    house.sessions.drain();
    const { response } = await house.send("POST", undefined, INITIALIZE);
    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as RpcMessage).error?.data?.["code"], "SHUTTING_DOWN");
    assert.equal(await house.ping(id), 200);
    await house.sessions.close();
    for await (const _ of messages(stream)) assert.fail("nothing is said");
    assert.deepEqual([house.sessions.size, house.context.hub.size, await house.ping(id)], [0, 0, 404]);
  });

  it("that could not be opened leave nothing behind", async () => {
    await using house = await House.open({ most: 1 });
    for (let n = 0; n < 5; n++) {
      const headers = { accept: "text/html" };
      const request = new Request("http://localhost/mcp", { method: "POST", headers });
      const { response, release } = await house.streamable.handle(request, INITIALIZE, ANYONE);
      assert.equal(response.status, 406);
      release();
    }
    assert.deepEqual([house.sessions.size, house.context.hub.size], [0, 0]);
  });

  it("are told of new channels, and of changed tools and prompts, where they listen", async () => {
    const changes = new Changes();
    await using house = await House.open({}, { changes });
    const [a, b] = [await house.begin(), await house.begin()];
    const streams = [await house.send("GET", a), await house.send("GET", b)];
    const { hub } = house.context;
    await hub.publish(draftOf("new", 1));
    const heard = streams.map((stream) => messages(stream));
    for (const stream of heard)
      assert.equal((await stream.next()).value?.method, "notifications/resources/list_changed");
    await hub.publish(draftOf("new", 2));
    changes.announce("tools");
    changes.announce("prompts");
    for (const stream of heard) {
      assert.equal((await stream.next()).value?.method, "notifications/tools/list_changed");
      assert.equal((await stream.next()).value?.method, "notifications/prompts/list_changed");
    }
    await hub.publish(draftOf("newer", 1));
    for (const stream of heard)
      assert.equal((await stream.next()).value?.method, "notifications/resources/list_changed");
    await house.sessions.close();
    changes.announce("tools");
    for (const stream of heard) assert.equal((await stream.next()).done, true);
  });

  it("keep nothing for requests that are answered, cancelled, or whose client is gone", async () => {
    const held = new Held();
    await using house = await House.open({}, { tools: [held.tool] });
    const id = await house.begin();
    const transport = house.transport(id);
    const empty = { _streamMapping: 0, _requestToStreamMapping: 0, _requestResponseMap: 0 };
    for (let n = 0; n < 20; n++) {
      await house.ping(id);
      const cancelled = await house.send("POST", id, calling(`c${n}`, "hold"));
      await house.send("POST", id, { method: "notifications/cancelled", params: { requestId: `c${n}` } });
      await cancelled.response.text();
      cancelled.release();
      const gone = await house.send("POST", id, calling(`g${n}`, "hold"));
      await gone.response.body?.cancel();
      gone.release();
      await until("it is held", () => held.calls.length === 2 * n + 2);
      held.calls.at(-1)?.answer("for nobody");
      const stream = await house.send("GET", id);
      await stream.response.body?.cancel();
      stream.release();
    }
    await until("all is answered", () => transport.atWork === 0);
    assert.deepEqual(keptBy(transport), empty);
    assert.equal(transport.isInUse("c0") || transport.isInUse("g0") || transport.isInUse(1), false);
    assert.equal(held.cancelled, 20);
  });
});
