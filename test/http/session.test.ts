import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** As a page of the server sends it. */
function fromPage({ url }: TestServer, cookie: string): Record<string, string> {
  return { cookie, origin: url };
}

function codeIn({ text }: Pick<Answer, "text">): string {
  return (JSON.parse(text) as { code: string }).code;
}

/** Logs in with a key; returns the cookie as it is sent back. */
async function loggedIn(server: TestServer, key: string): Promise<string> {
  const answer = await server.request("/session", { method: "POST", headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200, answer.text);
  return String(answer.headers["set-cookie"]).split(";")[0] ?? "";
}

async function who(server: TestServer, options: RequestOptions = {}): Promise<Record<string, unknown>> {
  const answer = await server.request("/session", options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json() as Record<string, unknown>;
}

async function refused(opening: Promise<unknown>): Promise<RefusedUpgrade> {
  const error: unknown = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RefusedUpgrade, String(error));
  return error;
}

describe("a session of a browser", () => {
  it("a key becomes a cookie that reads, publishes and opens sockets, and says whose it is", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { publish: ["orders.*"], subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const cookie = await loggedIn(server, key);
    assert.deepEqual(await who(server, { headers: { cookie } }), {
      subject: "ann",
      kind: "session",
      publish: ["orders.*"],
      subscribe: ["*"],
      admin: false,
      expires: (await who(server, { headers: { cookie } }))["expires"],
      login: "credential",
    });
    using events = await server.events("?channel=orders.*&format=json", { headers: { cookie } });
    using frames = await server.frames("?channel=orders.*", { headers: fromPage(server, cookie) });
    await frames.nextOf("welcome");
    const published = await server.request("/channels/orders.eu/messages", {
      method: "POST",
      headers: fromPage(server, cookie),
      body: "1",
    });
    assert.equal(published.status, 201, published.text);
    const { sender, verified } = await frames.nextOf("message");
    assert.deepEqual([sender, verified], ["ann", true]);
    assert.equal((JSON.parse((await events.next()).data) as { sender: string }).sender, "ann");
  });

  it("without a credential one is told that one is no one, and that one can log in", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path, anonymousSubscribe: ["news"] });
    const nobody = { subject: "anyone", kind: "anonymous", publish: [], subscribe: ["news"], admin: false };
    assert.deepEqual(await who(server), { ...nobody, expires: null, login: "credential" });
    await using open = await startServer();
    const { kind, admin, login } = await who(open);
    assert.deepEqual([kind, admin, login], ["anonymous", true, "none"]);
  });

  it("a session begins with a credential that is good, sent by a page of the server or by no page", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann");
    await using server = await startServer({ apiKeysFile: keys.path });
    const begin = (headers: Record<string, string>): Promise<Answer> =>
      server.request("/session", { method: "POST", headers });
    const none = await begin({});
    assert.deepEqual([none.status, none.headers["www-authenticate"]], [401, 'Bearer scope="hub:read"']);
    const wrong = await begin({ authorization: `Bearer ${key.slice(0, -1)}~` });
    assert.deepEqual([wrong.status, wrong.headers["www-authenticate"]], [401, 'Bearer error="invalid_token"']);
    const cookie = await loggedIn(server, key);
    assert.equal((await begin({ cookie, origin: server.url })).status, 401);
    const foreign = await begin({ "x-api-key": key, origin: "http://127.0.0.1:1" });
    assert.deepEqual([foreign.status, codeIn(foreign)], [403, "ORIGIN_NOT_ALLOWED"]);
    assert.equal((await begin({ "x-api-key": key, origin: server.url })).status, 200);
    for (const { headers } of [none, wrong, foreign]) assert.equal(headers["set-cookie"], undefined);
    await using open = await startServer();
    assert.equal((await open.request("/session", { method: "POST" })).status, 400);
  });

  it("[BRW-2] a cookie that is not good is 401 on every door and never no credential, but on pages and /session", async () => {
    using keys = new KeyRing();
    await using server = await startServer({
      apiKeysFile: keys.path,
      anonymousPublish: ["*"],
      anonymousSubscribe: ["*"],
    });
    const headers = fromPage(server, "__Host-hub=AAAA");
    for (const [method, path] of [
      ["GET", "/events"],
      ["GET", "/channels"],
      ["GET", "/channels/a/messages"],
      ["POST", "/channels/a/messages"],
      ["POST", "/mcp"],
      ["POST", "/mcp/tools/list"],
      ["POST", "/tickets"],
      ["GET", "/metrics"],
    ] as const) {
      const answer = await server.request(path, { method, headers });
      assert.equal(answer.status, 401, `${method} ${path}`);
      assert.match(String(answer.headers["www-authenticate"]), /error="invalid_token"/);
    }
    assert.equal((await refused(server.frames("", { headers }))).status, 401);
    for (const path of ["/", "/chat", "/health"]) assert.equal((await server.request(path, { headers })).status, 200);
    const answer = await server.request("/session", { headers });
    assert.equal((answer.json() as { kind: string }).kind, "anonymous");
    assert.match(String(answer.headers["set-cookie"]), /^__Host-hub=; Path=\/; Max-Age=0;/);
    const bearer = await server.request("/session", { headers: { ...headers, authorization: "Bearer nonsense" } });
    assert.equal(bearer.status, 401);
  });

  it("[BRW-6] a token in a header comes before the cookie: if it is bad, that is 401", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const headers = { cookie: await loggedIn(server, key) };
    assert.equal((await server.request("/channels", { headers })).status, 200);
    const both = await server.request("/channels", { headers: { ...headers, authorization: "Bearer nonsense" } });
    assert.equal(both.status, 401);
  });

  it("[BRW-3] to change something and to open a socket, a cookie needs the Origin of the server's own pages", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { publish: ["*"], subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const cookie = await loggedIn(server, key);
    // On loopback, pages of other ports may call, but not in a person's name.
    const without: Record<string, string> = { cookie };
    for (const headers of [without, { cookie, origin: "http://127.0.0.1:1" }]) {
      for (const path of ["/channels/a/messages", "/mcp", "/mcp/tools/call", "/tickets"]) {
        const answer = await server.request(path, { method: "POST", headers, body: "1" });
        assert.equal(answer.status, 403, path);
        assert.match(answer.text, /counts only for pages of this server/, path);
      }
      const { status, text } = await refused(server.frames("", { headers }));
      assert.deepEqual([status, codeIn({ text })], [403, "ORIGIN_NOT_ALLOWED"]);
    }
    const foreign = await server.request("/session", {
      method: "DELETE",
      headers: { cookie, origin: "http://127.0.0.1:1" },
    });
    assert.deepEqual([foreign.status, foreign.headers["set-cookie"]], [403, undefined]);
    const ended = await server.request("/session", { method: "DELETE", headers: fromPage(server, cookie) });
    assert.equal(ended.status, 204);
    assert.match(
      String(ended.headers["set-cookie"]),
      /^__Host-hub=; Path=\/; Max-Age=0; HttpOnly; Secure; SameSite=Strict$/,
    );
  });

  it("[BRW-2] a session ends with its key: open readers are cut within a second, and the cookie is refused", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const cookie = await loggedIn(server, key);
    using events = await server.events("", { headers: { cookie } });
    using frames = await server.frames("", { headers: fromPage(server, cookie) });
    await frames.nextOf("welcome");
    const { ticket } = (
      await server.request("/tickets", { method: "POST", headers: { authorization: `Bearer ${key}` } })
    ).json() as { ticket: string };
    keys.revoke("ann");
    const since = performance.now();
    await events.ended;
    assert.equal((await frames.closed).code, 4104);
    assert.ok(performance.now() - since < 1500, "takes too long");
    assert.equal((await server.request("/channels", { headers: { cookie } })).status, 401);
    assert.equal((await refused(server.frames(`?ticket=${ticket}`))).status, 401);
  });

  it("a session outlives a restart if the log is in a file, and not if it is in memory", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["*"] });
    for (const [data, status] of [
      [`file:${keys.folder.file("hub.db")}`, 200],
      ["memory:", 401],
    ] as const) {
      const first = await startServer({ apiKeysFile: keys.path, data });
      const cookie = await loggedIn(first, key);
      await first.close();
      await using second = await startServer({ apiKeysFile: keys.path, data });
      assert.equal((await second.request("/channels", { headers: { cookie } })).status, status, data);
    }
  });

  it("[BRW-4] only origins that the settings name may read with a cookie, and all may read the challenge", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path, allowedOrigins: ["https://app.example"] });
    const allowed = async (origin: string): Promise<readonly unknown[]> => {
      const { headers } = await server.request("/channels", { headers: { origin } });
      return [headers["access-control-allow-origin"], headers["access-control-allow-credentials"]];
    };
    assert.deepEqual(await allowed("https://app.example"), ["https://app.example", "true"]);
    assert.deepEqual(await allowed("http://127.0.0.1:3000"), ["http://127.0.0.1:3000", undefined]);
    const { headers } = await server.request("/channels", { headers: { origin: "https://app.example" } });
    assert.match(String(headers["access-control-expose-headers"]), /WWW-Authenticate/);
    await using open = await startServer({ allowedOrigins: ["*"] });
    const any = await open.request("/channels", { headers: { origin: "https://any.example" } });
    assert.equal(any.headers["access-control-allow-credentials"], undefined);
  });

  it("[BRW-4] a server that asks for credentials does not start with ALLOWED_ORIGINS=*", async () => {
    using keys = new KeyRing();
    await assert.rejects(
      startServer({ apiKeysFile: keys.path, allowedOrigins: ["*"] }),
      /^Error: ALLOWED_ORIGINS is \*/,
    );
  });

  it("nor with ALLOWED_ORIGINS=null, the origin of any page in a sandbox", async () => {
    using keys = new KeyRing();
    for (const origin of ["null", "NULL"]) {
      await assert.rejects(
        startServer({ apiKeysFile: keys.path, allowedOrigins: ["https://app.example", origin] }),
        /^Error: ALLOWED_ORIGINS has null .* name the origins/,
      );
    }
  });
});

describe("a ticket", () => {
  it("[BRW-5] opens one WebSocket in the name of who asked for it, and is refused the second time", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { publish: ["orders.*"], subscribe: ["orders.*", "news"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const asked = { channels: ["orders.eu"], ttlSeconds: 30 };
    const answer = await server.request("/tickets", {
      method: "POST",
      headers: { "x-api-key": key },
      body: JSON.stringify(asked),
    });
    const { ticket, expires } = answer.json() as { ticket: string; expires: string };
    assert.deepEqual([answer.status, answer.headers["cache-control"]], [201, "no-store"]);
    assert.ok(Date.parse(expires) <= Date.now() + 30_000);
    const twice = await refused(server.frames(`?ticket=${ticket}&ticket=${ticket}`));
    const beside = await refused(server.frames(`?ticket=${ticket}`, { headers: { "x-api-key": key } }));
    assert.deepEqual([twice, beside].map(codeIn), ["INVALID_REQUEST", "INVALID_REQUEST"]);
    using frames = await server.frames(`?channel=orders.eu&ticket=${ticket}`);
    await frames.nextOf("welcome");
    frames.send({ type: "subscribe", channels: ["news"], id: 1 });
    assert.equal((await frames.nextOf("error"))["code"], "FORBIDDEN");
    frames.send({ type: "publish", channel: "orders.eu", data: 1, id: 2 });
    assert.equal((await frames.nextOf("message"))["sender"], "ann");
    const again = await refused(server.frames(`?channel=orders.eu&ticket=${ticket}`));
    assert.deepEqual([again.status, codeIn(again)], [401, "UNAUTHENTICATED"]);
    assert.doesNotMatch(again.text, new RegExp(ticket));
  });

  it("is not given without a credential, for channels that one may not read, or for what makes no sense", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["news"] });
    await using server = await startServer({ apiKeysFile: keys.path, anonymousSubscribe: ["*"] });
    const ask = async (body: unknown, headers: Record<string, string> = { "x-api-key": key }): Promise<unknown> => {
      const answer = await server.request("/tickets", { method: "POST", headers, body: JSON.stringify(body) });
      return answer.status === 201 ? 201 : [answer.status, codeIn(answer)];
    };
    assert.deepEqual(await ask({}, {}), [401, "UNAUTHENTICATED"]);
    assert.deepEqual(await ask({ channels: ["orders.*"] }), [403, "FORBIDDEN"]);
    assert.deepEqual(await ask({ channels: ["no such channel"] }), [400, "INVALID_PATTERN"]);
    for (const wrong of [{ ttlSeconds: 61 }, { ttlSeconds: 0 }, { channel: "news" }, [], "news"]) {
      assert.deepEqual(await ask(wrong), [400, "INVALID_INPUT"], JSON.stringify(wrong));
    }
    for (const right of [{}, { ttlSeconds: 60 }, { channels: null }, { channels: ["news"] }]) {
      assert.equal(await ask(right), 201, JSON.stringify(right));
    }
  });
});
