import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Extras } from "../../../src/mcp/definitions.ts";
import type { ServerOptions } from "../../../src/server.ts";
import { Cli } from "../../support/cli.ts";
import type { EventReader } from "../../support/event-reader.ts";
import { Front } from "../../support/front.ts";
import { LegacyClient, messagesOf, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { openSdkClient, SDK_CLIENTS } from "../../support/mcp-clients.ts";
import { CLIENT_CAPABILITIES, listen, mcp, resultOf } from "../../support/mcp.ts";
import { ENGINES, needsEngine, startEngine, type Engine } from "../../support/redis.ts";
import { request } from "../../support/request.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const PING = { id: 1, method: "ping" };
const LIST_CHANGED = "notifications/resources/list_changed";
const X = "hub://channels/x";

let prefixes = 0;

/** Servers on one Redis, which no other test has anything in. */
class Cluster implements AsyncDisposable {
  readonly data: string;
  readonly servers: TestServer[] = [];

  constructor({ url }: Engine) {
    this.data = `${url}?prefix=nodes${++prefixes}`;
  }

  static async open(engine: Engine, count: number, extras: Extras = {}, config: ServerOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(engine);
    for (let n = 0; n < count; n++) await cluster.start(extras, config);
    return cluster;
  }

  async start(extras: Extras = {}, config: ServerOptions = {}): Promise<TestServer> {
    try {
      const server = await startServer({ data: this.data, mirror: "temporary:", ...config }, extras);
      this.servers.push(server);
      return server;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  get both(): readonly [TestServer, TestServer] {
    const [a, b] = this.servers;
    if (a === undefined || b === undefined) throw new Error("not two servers");
    return [a, b];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }
}

/** A server of another process, as far as a `LegacyClient` uses it. */
function at(url: string): TestServer {
  const ask: TestServer["request"] = (path, options) => request(`${url}${path}`, options);
  return { url, request: ask } as TestServer;
}

/** The same client, whose next request comes to another node. */
function moved({ session, version }: LegacyClient, server: TestServer): LegacyClient {
  return new LegacyClient(server, session, version);
}

/** Resolves when a stream has ended: after half a minute if an announcement was lost. */
async function over(stream: EventReader): Promise<void> {
  let isOver = false;
  void stream.ended.then(() => (isOver = true));
  await until("the stream ends", () => isOver, 60_000);
}

/** Reads a stream until its client has been told of all of these: URIs, or lists. */
async function told(stream: EventReader, ...names: readonly string[]): Promise<void> {
  const open = new Set(names);
  while (open.size > 0) {
    const { data } = await stream.next();
    if (data === "") continue;
    const { method = "", params } = JSON.parse(data) as RpcMessage;
    const { uri = method } = (params ?? {}) as { readonly uri?: string };
    open.delete(uri);
  }
}

/** The next message on a stream. */
async function nextOn(stream: EventReader): Promise<RpcMessage> {
  for (;;) {
    const { data } = await stream.next();
    if (data !== "") return JSON.parse(data) as RpcMessage;
  }
}

/** Asks its client for a name in every era, and says what the state it sealed for that was. */
const greet = tool("greet", async (_, call) => {
  const { name } = (call.inputs.responses ?? {}) as {
    readonly name?: { readonly content?: { readonly name?: string } };
  };
  if (name !== undefined) return said(`${name.content?.name} ${JSON.stringify(call.inputs.state)}`);
  const requestedSchema = { type: "object", properties: { name: { type: "string" } } };
  return {
    resultType: "input_required",
    inputRequests: { name: { method: "elicitation/create", params: { message: "Who?", requestedSchema } } },
    requestState: await call.seal({ asked: 1 }),
  };
});

describe("MCP on two nodes with one Redis", { concurrency: true }, () => {
  let engine: Engine;
  before(async () => {
    if (ENGINES.includes("redis")) engine = await startEngine();
  });
  after(() => engine?.[Symbol.asyncDispose]());

  it("[MCP-43] subscribes at one node and is told at the other, ends at one and is over at both", async (t) => {
    if (!needsEngine(t)) return;
    await using cluster = await Cluster.open(engine, 2);
    const [a, b] = cluster.both;
    const onA = await LegacyClient.open(a);
    const onB = moved(onA, b);
    using stream = await onA.listen();
    assert.deepEqual((await onB.ask("resources/subscribe", { uri: X })).result, {});
    await told(stream, X);
    await b.publish("x", 1);
    await told(stream, LIST_CHANGED, X);
    assert.equal((await onB.end()).status, 200);
    await over(stream);
    for (const client of [onA, onB]) {
      const answer = await client.post(PING);
      assert.deepEqual([answer.status, messagesOf(answer)[0]?.error?.code], [404, -32001]);
      assert.equal((await client.end()).status, 404);
    }
  });

  it("[MCP-43] goes on after its node was killed: subscribed, and with a stream that says what may have changed", async (t) => {
    if (!needsEngine(t)) return;
    await using cluster = new Cluster(engine);
    await using killed = new Cli(["serve", "--port", "0", "--data", cluster.data, "--mirror", "temporary:"]);
    const a = at(await killed.url());
    const b = await cluster.start();
    const onA = await LegacyClient.open(a);
    await onA.ask("resources/subscribe", { uri: X });
    const stream = await onA.listen();
    const { id } = await stream.next();
    const posted = /^id: (\S+)/.exec((await onA.post(PING)).text)?.[1];
    killed.kill("SIGKILL");
    await killed.exit();
    const onB = moved(onA, b);
    await b.publish("x", 1);
    using again = await onB.listen(id);
    assert.equal(again.status, 200);
    await told(again, LIST_CHANGED, X);
    await b.publish("x", 2);
    await told(again, X);
    using lost = await onB.listen(posted);
    assert.equal(lost.status, 400);
    assert.deepEqual((await onB.ask("ping")).result, {});
  });

  it("[MCP-46] moves its stream to the node it comes to, and back", async (t) => {
    if (!needsEngine(t)) return;
    await using cluster = await Cluster.open(engine, 2);
    const [a, b] = cluster.both;
    const onA = await LegacyClient.open(a);
    const onB = moved(onA, b);
    using first = await onA.listen();
    const { id } = await first.next();
    using second = await onB.listen(id);
    await over(first);
    await told(second, LIST_CHANGED);
    await onA.ask("resources/subscribe", { uri: X });
    await told(second, X);
    const place = second.ids.at(-1);
    using third = await onA.listen(place);
    assert.equal(third.status, 200);
    await over(second);
    await told(third, X);
    await b.publish("x", 1);
    await told(third, X);
  });

  it("[MCP-44] answers at one node what the other asked, and cancels there what the other does", async () => {
    const held = new Held();
    await using cluster = await Cluster.open(engine, 2, { tools: [greet, held.tool] });
    const [a, b] = cluster.both;
    const onA = await LegacyClient.open(a, { capabilities: { elicitation: {} } });
    const onB = moved(onA, b);
    using call = await onA.stream(calling(1, "greet"));
    const asked = await nextOn(call);
    assert.equal(asked.method, "elicitation/create");
    const accepted = { id: asked.id, result: { action: "accept", content: { name: "Ada" } } };
    assert.equal((await onB.post(accepted)).status, 202);
    assert.deepEqual((await nextOn(call)).result?.["content"], [{ type: "text", text: 'Ada {"asked":1}' }]);
    using cancelled = await onA.stream(calling(2, "hold"));
    await until("it is held", () => held.calls.length === 1);
    const cancel = { method: "notifications/cancelled", params: { requestId: 2 } };
    assert.equal((await onB.post(cancel)).status, 202);
    await over(cancelled);
    assert.equal(held.cancelled, 1);
  });

  it("[MCP-14] continues at any node a request that waited for input, and listens at any node, without a session", async (t) => {
    if (!needsEngine(t)) return;
    await using cluster = await Cluster.open(engine, 2, { tools: [greet] });
    const [a, b] = cluster.both;
    const meta = { [CLIENT_CAPABILITIES]: { elicitation: {} } };
    const { requestState } = resultOf(await mcp(a, "tools/call", { name: "greet" }, { meta }));
    const inputResponses = { name: { action: "accept", content: { name: "Ada" } } };
    const retried = { name: "greet", inputResponses, requestState };
    const { content } = resultOf(await mcp(b, "tools/call", retried, { meta }));
    assert.deepEqual(content, [{ type: "text", text: 'Ada {"asked":1}' }]);
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      using listening = await listen(here, { resourceSubscriptions: [X] });
      await there.publish("x", 1);
      const { method, params } = await listening.stream.next();
      assert.deepEqual([method, params?.["uri"]], ["notifications/resources/updated", X]);
    }
  });

  for (const name of SDK_CLIENTS) {
    it(`[MCP-43] serves the official client ${name} whose requests all come to nodes in turn`, async (t) => {
      if (!needsEngine(t)) return;
      await using cluster = await Cluster.open(engine, 2, { tools: [greet] });
      const [a, b] = cluster.both;
      await using front = await Front.open(a.port);
      front.treat = () => {
        front.target = front.target === a.port ? b.port : a.port;
        return {};
      };
      await using sdk = await openSdkClient(name, front.url, () => ({ action: "accept", content: { name: "Ada" } }));
      const updates: string[] = [];
      await sdk.follow(
        X,
        (uri) => void updates.push(uri),
        () => {},
      );
      for (let n = 0; n < 3; n++) {
        const { content } = await sdk.call("greet");
        assert.deepEqual(content, [{ type: "text", text: 'Ada {"asked":1}' }]);
        updates.length = 0;
        await sdk.call("send_sse_message", { message: n, channel: "x" });
        await until("it is told", () => updates.includes(X));
      }
      assert.ok(front.heads.length > 6);
    });
  }
});

describe("a session whose nodes lose their Redis", { concurrency: true }, () => {
  it("[MCP-45] goes on where it is, is answered 503 elsewhere, and goes on everywhere when that is back", async (t) => {
    if (!needsEngine(t)) return;
    await using engine = await startEngine();
    await using cluster = await Cluster.open(engine, 2);
    const [a, b] = cluster.both;
    const onA = await LegacyClient.open(a);
    const onB = moved(onA, b);
    await engine.kill();
    assert.deepEqual((await onA.ask("ping")).result, {});
    const refused = await onB.post(PING);
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.equal(messagesOf(refused)[0]?.error?.data?.["code"], "LOG_UNAVAILABLE");
    assert.equal((await onA.end()).status, 503);
    assert.equal((await onA.ask("resources/subscribe", { uri: X })).error?.data?.["code"], "LOG_UNAVAILABLE");
    await engine.restart();
    await until("it goes on", async () => (await onB.post(PING)).status === 200);
    await until("it subscribes", async () => (await onA.ask("resources/subscribe", { uri: X })).result !== undefined);
    await until("it can be ended", async () => (await onB.end()).status === 200);
    assert.equal((await onA.post(PING)).status, 404);
  });
});
