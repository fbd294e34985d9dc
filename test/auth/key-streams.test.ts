import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { apiKeyText, newApiKey, secretHash } from "../../src/auth/api-key.ts";
import { Cli, runCli } from "../support/cli.ts";
import { EventReader } from "../support/event-reader.ts";
import { ACCEPT, rpc } from "../support/legacy-client.ts";
import { mcp, mcpRequest, McpStream } from "../support/mcp.ts";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { request } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** Milliseconds from a change of the file until it counts everywhere. */
const SOON = 1000;

async function key(file: string, ...words: readonly string[]): Promise<string> {
  const [action = "", ...rest] = words;
  const cli = await runCli(["key", action, ...rest, "--file", file]);
  assert.equal(cli.code, 0, cli.stderr);
  return cli.stdout.trimEnd();
}

function bearer(token: string): { headers: { authorization: string } } {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** Revokes a key with the command; resolves with when the command had ended. */
async function revoke(file: string, token: string): Promise<number> {
  await key(file, "revoke", token.slice(4, 12));
  return performance.now();
}

async function good(server: TestServer, token: string): Promise<void> {
  await until("the key counts", async () => (await server.request("/channels", bearer(token))).status === 200);
}

describe("a server with API keys", { concurrency: true }, () => {
  it("lets each key publish and read what it may, and gives a stranger nothing [KEY-1]", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const shop = await key(file, "create", "--name", "shop", "--publish", "orders.*");
    const desk = await key(file, "create", "--name", "desk", "--subscribe", "orders.*");
    await using server = await startServer({ apiKeysFile: file });
    using reader = await server.events("?channel=orders.*&format=json", bearer(desk));
    const post = (
      token: string | undefined,
      channel: string,
    ): Promise<{ readonly status: number; readonly text: string }> => {
      const headers = { "content-type": "text/plain", ...(token === undefined ? {} : { "x-api-key": token }) };
      return server.request(`/channels/${channel}/messages`, { method: "POST", headers, body: "x" });
    };
    const statuses = [await post(shop, "orders.eu"), await post(shop, "news"), await post(desk, "orders.eu")];
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [201, 403, 403],
    );
    assert.deepEqual(JSON.parse((await reader.next()).data).sender, "shop");
    const other = desk.slice(13);
    const bad = [`${shop.slice(0, 13)}${other}`, `hub_aaaaaaaa_${other}`, "hub_aaaaaaaa_short", "hub_", "x"];
    const answers = await Promise.all(bad.map((token) => post(token, "orders.eu")));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([401]));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal((await post(undefined, "orders.eu")).status, 401);
    const denied = await server.request("/events?channel=orders.eu", bearer(shop));
    assert.equal(denied.status, 403);
  });

  it("ends within a second of a revocation the streams, sockets and waiting calls that the key opened [KEY-2]", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const token = await key(file, "create", "--name", "agent", "--subscribe", "*", "--publish", "*");
    const other = await key(file, "create", "--name", "other", "--subscribe", "*");
    await using server = await startServer({ apiKeysFile: file });
    const { headers } = bearer(token);
    const open = { headers };
    using events = await server.events("?channel=news", open);
    using untouched = await server.events("?channel=news", bearer(other));
    using socket = await server.frames("?channel=news", open);
    await socket.nextOf("welcome");
    const notifications = { resourceSubscriptions: ["hub://channels/news"] };
    using listening = await McpStream.open(server, "subscriptions/listen", { notifications }, open).then(
      ({ reader }) => reader,
    );
    await listening.next();
    const started = await server.request("/mcp", {
      method: "POST",
      headers: { ...headers, accept: ACCEPT },
      body: rpc({
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
      }),
    });
    const session = {
      "mcp-session-id": String(started.headers["mcp-session-id"]),
      "mcp-protocol-version": "2025-11-25",
    };
    using legacy = await EventReader.open(`${server.url}/mcp`, { headers: { ...headers, ...session } });
    assert.equal(legacy.status, 200);
    const wait = { name: "wait_for_messages", arguments: { channels: ["news"], timeoutSeconds: 50 } };
    const waiting = server.request("/mcp/tools/call", {
      ...open,
      method: "POST",
      body: JSON.stringify({ params: wait }),
    });
    const modern = mcp(server, "tools/call", wait, open);
    await until("both calls wait", () => server.hub.size >= 6);

    const ends: Promise<unknown>[] = [events.ended, socket.closed, listening.ended, legacy.ended, waiting, modern];
    const times = Promise.all(ends.map((end) => end.then(() => performance.now())));
    const revoked = await revoke(file, token);
    for (const [index, time] of (await times).entries()) {
      assert.ok(time - revoked < SOON, `number ${index} ended after ${time - revoked} ms`);
    }
    assert.equal((await socket.closed).code, 4104);
    await assert.rejects(
      server.frames("?channel=news", open),
      (error) => error instanceof RefusedUpgrade && error.status === 401,
    );
    const asked = mcpRequest("tools/list", {}, open);
    const refused = await server.request("/mcp", asked);
    assert.deepEqual([refused.status, refused.headers["www-authenticate"]], [401, 'Bearer error="invalid_token"']);
    const admin = await key(file, "create", "--name", "admin", "--admin");
    await good(server, admin);
    const text = { ...bearer(admin).headers, "content-type": "text/plain" };
    await server.request("/channels/news/messages", { method: "POST", headers: text, body: "still here" });
    assert.equal((await untouched.next()).data, "still here");
  });

  it("takes a key that is made while it runs, and ends one at its expiry", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    await key(file, "create", "--name", "first", "--admin");
    await using server = await startServer({ apiKeysFile: file });
    const token = await key(file, "create", "--name", "guest", "--subscribe", "news");
    const made = performance.now();
    await good(server, token);
    assert.ok(performance.now() - made < SOON);
    const short = newApiKey();
    const { keys } = JSON.parse(readFileSync(file, "utf8")) as { keys: object[] };
    const record = { ...keys.at(-1), id: short.id, hash: secretHash(short.secret).toString("hex") };
    const expires = new Date(Date.now() + 3000).toISOString();
    writeFileSync(file, JSON.stringify({ keys: [...keys, { ...record, expires }] }));
    await good(server, apiKeyText(short));
    using reader = await server.events("?channel=news", bearer(apiKeyText(short)));
    await reader.ended;
    assert.ok(Date.now() < Date.parse(expires) + SOON);
    await until("the key has expired", async () => {
      return (await server.request("/channels", bearer(apiKeyText(short)))).status === 401;
    });
  });

  it("says in its log and on hub.audit what becomes of its keys, and never a secret", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const admin = await key(file, "create", "--name", "admin", "--admin");
    chmodSync(file, 0o644);
    let log = "";
    const logStream = new Writable({ write: (chunk, _, done) => done(void (log += String(chunk))) });
    await using server = await startServer({ apiKeysFile: file, logLevel: "info", logStream });
    using audit = await server.events("?channel=hub.audit", bearer(admin));
    const token = await key(file, "create", "--name", "guest", "--subscribe", "news");
    const { time: _, ...event } = JSON.parse((await audit.next()).data);
    const id = token.slice(4, 12);
    assert.deepEqual([event.level, event.action], ["warn", "keys_shared"]);
    assert.match(event.node, /^[a-z\d]{10}$/);
    const created = JSON.parse((await audit.next()).data);
    assert.deepEqual([created.action, created.subject, created.id], ["key_created", "guest", id]);
    await revoke(file, token);
    await until("the log has it", () => log.includes("key_revoked"));
    const lines = log
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.ok(lines.some(({ msg }) => /can read or write .+; chmod 600 it$/.test(msg)));
    assert.ok(
      lines.some(({ action, subject, id: of }) => action === "key_revoked" && subject === "guest" && of === id),
    );
    for (const secret of [admin.slice(13), token.slice(13)]) assert.ok(!log.includes(secret));
  });

  it("goes on when it is sent SIGHUP, as services are when their files change", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    await key(file, "create", "--name", "a", "--admin");
    await using cli = new Cli(["--port", "0", "--data", "memory:", "--api-keys-file", file]);
    const url = await cli.url();
    const token = await key(file, "create", "--name", "b", "--admin");
    cli.kill("SIGHUP");
    await until("the new key counts", async () => (await request(`${url}/channels`, bearer(token))).status === 200);
    assert.equal(cli.code, undefined);
  });

  it("does not start with a file that is missing or wrong, or with AUTH=none beside it [KEY-3]", async () => {
    using folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    const words = ["serve", "--port", "0", "--data", "memory:", "--api-keys-file", file];
    const missing = await runCli(words);
    assert.equal(missing.code, 1);
    const [command] = /sse-mcp-server (key create .+)$/m.exec(missing.stderr)?.slice(1) ?? [];
    assert.match(
      missing.stderr,
      /^sse-mcp-server: API_KEYS_FILE is ".+", which does not exist; make it with: [^\n]+\n$/,
    );
    assert.equal(command, `key create --name NAME --subscribe '*' --file ${JSON.stringify(file)}`);
    await key(file, "create", "--name", "a", "--admin");
    const both = await runCli([...words, "--auth", "none"]);
    const sentence =
      "AUTH is none, so everyone may do everything, but API_KEYS_FILE says who may; leave one of them out";
    assert.deepEqual([both.code, both.stderr], [1, `sse-mcp-server: ${sentence}\n`]);
  });
});
