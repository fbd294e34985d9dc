import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { ServerOptions } from "../../../src/server.ts";
import type { Extras } from "../../../src/mcp/definitions.ts";
import { Cli } from "../../support/cli.ts";
import type { EventReader } from "../../support/event-reader.ts";
import { ACCEPT, LegacyClient, messagesOf, rpc, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, said, tool } from "../../support/legacy-tools.ts";
import { CLIENT_CAPABILITIES, mcp, resultOf } from "../../support/mcp.ts";
import { request } from "../../support/request.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const PING = { id: 1, method: "ping" };
const LIST_CHANGED = "notifications/resources/list_changed";

/** A server whose log is in a file of a folder. */
function startIn(folder: TemporaryFolder, config: ServerOptions = {}, extras: Extras = {}): Promise<TestServer> {
  return startServer({ data: `file:${folder.file()}`, ...config }, extras);
}

/** A client of before, which knows nothing of the restart. */
function again(server: TestServer, { session, version }: LegacyClient): LegacyClient {
  return new LegacyClient(server, session, version);
}

/** What the next messages on a stream tell of: URIs, or lists. */
async function told(stream: EventReader, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  while (found.length < count) {
    const { data } = await stream.next();
    if (data === "") continue;
    const { method, params } = JSON.parse(data) as RpcMessage;
    found.push(params?.["uri"] ?? method);
  }
  return found;
}

/** A server of another process, as far as a `LegacyClient` uses it. */
function at(url: string): TestServer {
  const ask: TestServer["request"] = (path, options) => request(`${url}${path}`, options);
  return { url, request: ask } as TestServer;
}

/** Opens a session on a server that then stops. */
async function opened(folder: TemporaryFolder, config: ServerOptions = {}): Promise<LegacyClient> {
  await using server = await startIn(folder, config);
  return await LegacyClient.open(server);
}

describe("a session whose server is restarted", { concurrency: true }, () => {
  it("[MCP-40] goes on in every revision: requests are answered, subscriptions are kept and tell", async () => {
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
      using folder = new TemporaryFolder();
      let before: LegacyClient;
      {
        await using server = await startIn(folder);
        before = await LegacyClient.open(server, { version });
        for (const channel of ["a", "b", "c"])
          await before.ask("resources/subscribe", { uri: `hub://channels/${channel}` });
        await before.ask("resources/unsubscribe", { uri: "hub://channels/b" });
      }
      await using server = await startIn(folder);
      const client = again(server, before);
      await client.ask("tools/call", { name: "send_sse_message", arguments: { message: "hi" } });
      const { structuredContent } = await server.call("read_messages", { channel: "default" });
      assert.partialDeepStrictEqual(structuredContent, { messages: [{ sender: "test" }] });
      using stream = await client.listen();
      const missed = new Set([LIST_CHANGED, "hub://channels/a", "hub://channels/c"]);
      assert.deepEqual(new Set(await told(stream, 3)), missed, "all may have changed");
      await server.publish("default", 1);
      await server.publish("c", 1);
      assert.deepEqual(new Set(await told(stream, 2)), new Set([LIST_CHANGED, "hub://channels/c"]));
      assert.equal((await client.end()).status, 200);
    }
  });

  it("[MCP-40] opens its stream again with a Last-Event-ID of before, and is told once of what it may have missed", async () => {
    using folder = new TemporaryFolder();
    let before: LegacyClient;
    let place: string | undefined;
    let posted: string | undefined;
    {
      await using server = await startIn(folder);
      before = await LegacyClient.open(server);
      await before.ask("resources/subscribe", { uri: "hub://channels/a" });
      using stream = await before.listen();
      ({ id: place } = await stream.next());
      posted = /^id: (\S+)/.exec((await before.post(PING)).text)?.[1];
    }
    await using server = await startIn(folder);
    await server.publish("a", 1);
    const client = again(server, before);
    using stream = await client.listen(place);
    assert.equal(stream.status, 200);
    assert.deepEqual(new Set(await told(stream, 2)), new Set([LIST_CHANGED, "hub://channels/a"]));
    using lost = await client.listen(posted);
    assert.equal(lost.status, 400, "what a request was answered with is not kept");
    await server.publish("a", 2);
    assert.deepEqual(await told(stream, 1), ["hub://channels/a"]);
  });

  it("[MCP-40] keeps its log level, and what its client can be asked", async () => {
    using folder = new TemporaryFolder();
    const talk = tool("talk", async (_, call) => {
      for (const level of ["info", "error"] as const) call.log(level, level);
      return said(JSON.stringify(call.capabilities));
    });
    const capabilities = { elicitation: { url: {} }, roots: { listChanged: true }, sampling: {} };
    let before: LegacyClient;
    {
      await using server = await startIn(folder, {}, { tools: [talk] });
      before = await LegacyClient.open(server, { capabilities });
      await before.ask("logging/setLevel", { level: "warning" });
    }
    await using server = await startIn(folder, {}, { tools: [talk] });
    const [logged, answered, ...more] = messagesOf(await again(server, before).post(calling(1, "talk")));
    assert.equal(logged?.params?.["level"], "error");
    assert.deepEqual(answered?.result?.["content"], [{ type: "text", text: JSON.stringify(capabilities) }]);
    assert.deepEqual(more, []);
  });

  it("[MCP-60] is still offered the tools of views, if its client shows them", async () => {
    using folder = new TemporaryFolder();
    const extensions = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
    let before: LegacyClient;
    {
      await using server = await startIn(folder);
      before = await LegacyClient.open(server, { capabilities: { extensions } });
    }
    await using server = await startIn(folder);
    const { result } = await again(server, before).ask("tools/list");
    assert.match(JSON.stringify(result), /"answer_question"/);
  });

  it("[MCP-40] goes on even if the server was killed, and once for requests that come together", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    await using killed = new Cli(["serve", "--port", "0", "--data", data]);
    const url = await killed.url();
    const before = await LegacyClient.open(at(url));
    await before.ask("resources/subscribe", { uri: "hub://channels/a" });
    killed.kill("SIGKILL");
    await killed.exit();
    await using server = await startIn(folder, { maxSessions: 1 });
    const client = again(server, before);
    const answers = await Promise.all([1, 2, 3, 4].map((id) => client.post({ id, method: "ping" })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    using stream = await client.listen();
    assert.equal((await told(stream, 2)).length, 2);
    assert.equal(server.hub.size, 2, "one session, and one that looks for new channels");
  });

  it("[MCP-41] stays ended if it was ended before: by DELETE, to make room, or unused for too long", async () => {
    using folder = new TemporaryFolder();
    const ended: LegacyClient[] = [];
    {
      await using server = await startIn(folder, { maxSessions: 2 });
      const deleted = await LegacyClient.open(server);
      await deleted.end();
      ended.push(deleted, await LegacyClient.open(server));
      ended.push(await LegacyClient.open(server), await LegacyClient.open(server));
    }
    // The last but one was not used for longer than it may be.
    const database = new DatabaseSync(`${folder.file()}.sessions`);
    const [name] = ended[2]?.session.split(".") ?? [];
    const { changes } = database.prepare("UPDATE sessions SET used = used - 1_000_000 WHERE id = ?").run(name ?? "");
    database.close();
    assert.equal(changes, 1);
    await using server = await startIn(folder, { sessionTimeout: 900 });
    const statuses = [];
    for (const client of ended) statuses.push((await again(server, client).post(PING)).status);
    assert.deepEqual(statuses, [404, 404, 404, 200]);
  });

  it("[MCP-41] is not found under an id that was forged, or that another server gave", async () => {
    using folder = new TemporaryFolder();
    using elsewhere = new TemporaryFolder();
    const mine = await opened(folder);
    const theirs = await opened(elsewhere);
    const [name = "", body = "", signature = ""] = mine.session.split(".");
    const [otherName = "", otherBody = "", otherSignature = ""] = theirs.session.split(".");
    await using server = await startIn(folder);
    for (const id of [
      theirs.session,
      name,
      `${name}.`,
      `${name}.${body}`,
      `${name}.${body}.`,
      `${name}.${body}.${signature}.`,
      `${name}.${body}.${signature.slice(0, -2)}AA`,
      `${name}.${otherBody}.${otherSignature}`,
      `${otherName}.${body}.${signature}`,
      `${mine.session}${"x".repeat(2000)}`,
    ]) {
      const answer = await new LegacyClient(server, id, mine.version).post(PING);
      assert.deepEqual([answer.status, messagesOf(answer)[0]?.error?.code], [404, -32001], id);
    }
    assert.equal((await again(server, mine).post(PING)).status, 200);
  });

  it("[MCP-41] is over if the log is in memory", async () => {
    let before: LegacyClient;
    {
      await using server = await startServer();
      before = await LegacyClient.open(server);
    }
    await using server = await startServer();
    assert.equal((await again(server, before).post(PING)).status, 404);
  });

  it("[MCP-10] needs room among the others: it is answered 503 while all sessions there may be are in use", async () => {
    using folder = new TemporaryFolder();
    const before = await opened(folder);
    await using server = await startIn(folder, { maxSessions: 1 });
    const other = await LegacyClient.open(server);
    const stream = await other.listen();
    const refused = await again(server, before).post(PING);
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    stream.close();
    await until("there is room", async () => (await again(server, before).post(PING)).status === 200);
    assert.equal((await other.post(PING)).status, 404);
  });
});

describe("the id of a session", { concurrency: true }, () => {
  it("[MCP-42] is short visible ASCII whatever the client is called and can do, and in no line of the log", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("log");
    await using server = await startIn(folder, { logLevel: "debug", logFile });
    for (const name of ["x", "x".repeat(10_000), "\u6f22".repeat(300), "\u{1f600}".repeat(300), "", "\u0000\n"]) {
      const capabilities = {
        elicitation: { form: {}, url: {} },
        sampling: { tools: {}, context: {} },
        roots: { listChanged: true },
        experimental: { large: "x".repeat(5000) },
        extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
      };
      const params = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name, version: "1" } };
      const body = rpc({ id: 1, method: "initialize", params });
      const { headers } = await server.request("/mcp", { method: "POST", headers: { accept: ACCEPT }, body });
      const session = String(headers["mcp-session-id"]);
      assert.match(session, /^[\x21-\x7e]{40,1023}$/);
      const client = new LegacyClient(server, session, "2025-11-25");
      assert.equal((await client.post(PING)).status, 200);
      await client.end();
      await client.post(PING);
      assert.ok(!readFileSync(logFile, "utf8").includes(session.slice(0, 30)));
    }
  });
});

describe("the file in which sessions are kept", { concurrency: true }, () => {
  it("can be read by no one else, and forgets what is over", async () => {
    using folder = new TemporaryFolder();
    const path = `${folder.file()}.sessions`;
    await using server = await startIn(folder, { sessionTimeout: 1 });
    await LegacyClient.open(server);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    using database = new DatabaseSync(path, { readOnly: true });
    const count = (): unknown => database.prepare("SELECT count(*) AS count FROM sessions").get()?.["count"];
    assert.equal(count(), 1);
    await until("the session is over", () => count() === 0);
  });

  it("that has a damaged key is named in the log, and sessions then end with the server", async () => {
    for (const key of [new Uint8Array(0), new Uint8Array(1), "text", 5]) {
      using folder = new TemporaryFolder();
      await opened(folder);
      {
        using database = new DatabaseSync(`${folder.file()}.sessions`);
        database.prepare("UPDATE secret SET key = ?").run(key);
      }
      await using server = await startIn(folder);
      const client = await LegacyClient.open(server);
      assert.deepEqual((await client.ask("ping")).result, {});
    }
  });

  it("that has a damaged session keeps the session, without what cannot be read", async () => {
    for (const state of ["{", "null", "[]", '{"logLevel":"loud","uris":[5]}']) {
      using folder = new TemporaryFolder();
      const before = await opened(folder);
      {
        using database = new DatabaseSync(`${folder.file()}.sessions`);
        database.prepare("UPDATE sessions SET state = ?").run(state);
      }
      await using server = await startIn(folder);
      assert.deepEqual((await again(server, before).ask("ping")).result, {}, state);
    }
  });

  it("[MCP-41] that another program has locked when a session is ended deletes the session later", async () => {
    using folder = new TemporaryFolder();
    let before: LegacyClient;
    {
      await using server = await startIn(folder);
      before = await LegacyClient.open(server);
      using other = new DatabaseSync(`${folder.file()}.sessions`);
      other.exec("BEGIN IMMEDIATE");
      assert.equal((await before.end()).status, 200);
      other.exec("COMMIT");
    }
    await using server = await startIn(folder);
    assert.equal((await again(server, before).post(PING)).status, 404);
  });

  it("that cannot be used is named in the log, and sessions then end with the server", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("log");
    writeFileSync(`${folder.file()}.sessions`, "not a database".repeat(1000));
    await using server = await startIn(folder, { logLevel: "info", logFile });
    const client = await LegacyClient.open(server);
    assert.equal((await client.post(PING)).status, 200);
    const lines = readFileSync(logFile, "utf8");
    assert.match(lines, /"level":40.*MCP sessions will not outlive a restart: .*hub\.db\.sessions cannot be used/);
  });
});

describe("a request that waits for input over a restart", { concurrency: true }, () => {
  it("[MCP-14] goes on with the state that was sealed before", async () => {
    using folder = new TemporaryFolder();
    const asking = tool("ask", async (_, call) => {
      if (call.inputs.state !== undefined) return said(JSON.stringify(call.inputs.state));
      const params = { message: "?", requestedSchema: { type: "object", properties: {} } };
      return {
        resultType: "input_required",
        inputRequests: { name: { method: "elicitation/create", params } },
        requestState: await call.seal({ asked: 1 }, 24 * 3_600_000),
      };
    });
    const meta = { [CLIENT_CAPABILITIES]: { elicitation: {} } };
    let state: unknown;
    {
      await using server = await startIn(folder, {}, { tools: [asking] });
      state = resultOf(await mcp(server, "tools/call", { name: "ask" }, { meta }))["requestState"];
    }
    await using server = await startIn(folder, {}, { tools: [asking] });
    const params = { name: "ask", inputResponses: { name: { action: "accept" } }, requestState: state };
    const { content } = resultOf(await mcp(server, "tools/call", params, { meta }));
    assert.deepEqual(content, [{ type: "text", text: '{"asked":1}' }]);
  });
});
