import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HubError } from "../../../src/core/errors.ts";
import { ANYONE } from "../../../src/core/principal.ts";
import { Sessions, Streamable, type Answer, type Places } from "../../../src/mcp/index.ts";
import { HttpTransport } from "../../../src/mcp/legacy/http-transport.ts";
import type { McpContext } from "../../../src/mcp/modern/handler.ts";
import { ACCEPT } from "../../support/legacy-client.ts";
import { mcpContext } from "../../support/mcp-context.ts";

const PARAMS = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "0" } };
const INITIALIZE = { id: 0, method: "initialize", params: PARAMS };

/** One session, and as much room for streams as a test says. */
class Flat implements AsyncDisposable {
  readonly sessions: Sessions;
  readonly streamable: Streamable;
  session: Record<string, string> = {};
  room = 1;
  readonly #context: McpContext & AsyncDisposable;

  private constructor(context: McpContext & AsyncDisposable) {
    this.#context = context;
    this.sessions = new Sessions(context, { most: 1, idle: 60_000, keepAlive: 60_000, report: () => {} });
    this.streamable = new Streamable(this.sessions);
  }

  static async open(): Promise<Flat> {
    const flat = new Flat(await mcpContext());
    const { response, release } = await flat.send("POST", INITIALIZE);
    flat.session = { "mcp-session-id": String(response.headers.get("mcp-session-id")) };
    await response.text();
    release();
    return flat;
  }

  get transport(): HttpTransport {
    const entry = this.sessions.find(String(this.session["mcp-session-id"]), ANYONE, HttpTransport);
    assert.ok(entry !== undefined);
    return entry.transport;
  }

  /** Streams that the SDK has open. */
  get streams(): number {
    return (this.transport as unknown as { _streamMapping: Map<string, unknown> })._streamMapping.size;
  }

  send(method: string, body?: object): Promise<Answer> {
    const headers = { accept: ACCEPT, "content-type": "application/json", ...this.session };
    const request = new Request("http://localhost/mcp", { method, headers });
    const places: Places = { enter: () => this.#enter(), session: () => () => () => {} };
    return this.streamable.handle(
      request,
      body === undefined ? undefined : { jsonrpc: "2.0", ...body },
      ANYONE,
      places,
    );
  }

  #enter(): () => void {
    if (this.room === 0) throw new HubError("TOO_MANY_CONNECTIONS", "no room");
    this.room--;
    let left = false;
    return () => {
      if (!left) this.room++;
      left = true;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sessions.close();
    await this.#context[Symbol.asyncDispose]();
  }
}

// One after the other: one of them changes what all share.
describe("a session", () => {
  it("has nothing at work after a request that the SDK failed at, and its id is free", async (t) => {
    await using flat = await Flat.open();
    const failing = t.mock.method(HttpTransport.prototype, "handleRequest", () => Promise.reject(new Error("broken")));
    await assert.rejects(flat.send("POST", { id: 1, method: "ping" }), /broken/);
    failing.mock.restore();
    assert.deepEqual([flat.transport.atWork, flat.transport.isInUse(1)], [0, false]);
    const { response, release } = await flat.send("POST", { id: 1, method: "ping" });
    assert.equal(response.status, 200);
    await response.text();
    release();
    assert.equal(flat.transport.atWork, 0);
  });

  it("is not there when the SDK failed to open it", async (t) => {
    await using flat = await Flat.open();
    flat.session = {};
    const failing = t.mock.method(HttpTransport.prototype, "handleRequest", () => Promise.reject(new Error("broken")));
    await assert.rejects(flat.send("POST", INITIALIZE), /broken/);
    failing.mock.restore();
    assert.equal(flat.sessions.size, 0);
  });

  it("has no stream half open when there was no room for it, and one when there is", async () => {
    await using flat = await Flat.open();
    flat.room = 0;
    await assert.rejects(flat.send("GET"), { code: "TOO_MANY_CONNECTIONS" });
    assert.equal(flat.streams, 0);
    flat.room = 1;
    const first = await flat.send("GET");
    assert.deepEqual([first.response.status, flat.room, flat.streams], [200, 0, 1]);
    const second = await flat.send("GET");
    assert.deepEqual([second.response.status, first.gone?.aborted, flat.room, flat.streams], [200, true, 0, 1]);
    first.release();
    assert.equal(flat.room, 0, "its place went to the second");
    second.release();
    assert.equal(flat.room, 1);
  });
});
