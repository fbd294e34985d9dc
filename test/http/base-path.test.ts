import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaults } from "../../src/config.ts";
import { openJwt, resourceMetadata } from "../../src/auth/open-jwt.ts";
import { withoutBasePath } from "../../src/http/base-path.ts";
import { EventReader } from "../support/event-reader.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";

describe("the path of a request", () => {
  it("loses the base path once, and is left alone if it only begins alike", () => {
    const paths = {
      "/hub": "/",
      "/hub/": "/",
      "/hub?a=/hub/": "/?a=/hub/",
      "/hub/events?channel=a": "/events?channel=a",
      "/hub/hub/chat": "/hub/chat",
      "/hubs/events": "/hubs/events",
      "/hub.example": "/hub.example",
      "/events?next=/hub/": "/events?next=/hub/",
      "/": "/",
    };
    for (const [given, path] of Object.entries(paths)) assert.equal(withoutBasePath(given, "/hub"), path, given);
    for (const given of Object.keys(paths)) assert.equal(withoutBasePath(given, ""), given);
  });
});

describe("a server with a BASE_PATH", { concurrency: true }, () => {
  it("[HTTP-44] answers every door below it and without it, as proxies pass it on or remove it", async () => {
    await using server = await startServer({ basePath: "/team/hub", legacySse: true });
    for (const base of ["", "/team/hub"]) {
      for (const path of ["/", "/chat", "/docs", "/openapi.json", "/client.js", "/health", "/metrics", "/channels"]) {
        assert.equal((await server.request(`${base}${path}`)).status, 200, `${base}${path}`);
      }
      using events = await EventReader.open(`${server.url}${base}/events`);
      using frames = await FrameReader.open(`${server.url.replace("http", "ws")}${base}/ws`);
      assert.equal((await frames.next()).type, "welcome");
      const body = '{"params":{"name":"send_sse_message","arguments":{"message":"hi"}}}';
      assert.equal((await server.request(`${base}/mcp/tools/call`, { method: "POST", body })).status, 200);
      assert.equal((await events.next()).data, "hi");
      assert.equal((await frames.next()).type, "message");
      // What it names is below the path: a proxy that removes it passes on no other.
      using stream = await EventReader.open(`${server.url}${base}/sse`);
      assert.match((await stream.next()).data, /^\/team\/hub\/messages\?sessionId=/);
      assert.equal((await server.request(`${base}/nowhere`)).status, 404);
    }
    for (const path of ["/team", "/team/hubs/health", "/team/hub/team/hub/health"]) {
      assert.equal((await server.request(path)).status, 404, path);
    }
  });

  it("[HTTP-44] gives out addresses below it: in pages, documents, redirects and commands", async () => {
    await using server = await startServer({ basePath: "/hub" });
    const redirected = await server.request("/hub?channel=a");
    assert.deepEqual([redirected.status, redirected.headers.location], [302, "/hub/?channel=a"]);
    const start = await server.request("/", { headers: { host: "localhost:1" } });
    assert.match(start.text, /curl http:\/\/localhost:1\/hub\/channels\/default\/messages/);
    for (const [, link = ""] of start.text.matchAll(/(?:src|href)="([^"]*assets[^"]+)"/g)) {
      assert.match(link, /^(?:\/hub\/)?assets\//);
    }
    // A proxy that removes the path may have been asked for it without a slash.
    assert.match(start.text, /<script src="\/hub\/assets\/scripts\/start\.js/);
    const { servers } = (await server.request("/openapi.json")).json() as { servers: unknown };
    assert.deepEqual(servers, [{ url: "/hub" }]);
    const lost = await server.request("/hub/a/b", { headers: { accept: "text/html" } });
    assert.match(lost.text, /There is no page at <code>\/hub\/a\/b<\/code>/);
    assert.match(lost.text, /href="\.\.\/assets\/icon\.svg"/);
    const problem = (await server.request("/hub/a/b")).json() as { detail: string };
    assert.match(problem.detail, /^There is no GET \/hub\/a\/b; see \/hub\/docs$/);
    const login = await server.request("/hub/login/start?next=/hub/chat");
    assert.equal(login.headers.location, "../login?next=%2Fhub%2Fchat");
  });

  it("[HTTP-45] has the cookies of browsers sent to it alone", async () => {
    using keys = new KeyRing();
    const key = keys.add("ann", { subscribe: ["*"] });
    await using server = await startServer({ basePath: "/hub", apiKeysFile: keys.path });
    const begun = await server.request("/session", { method: "POST", headers: { "x-api-key": key } });
    const [set = ""] = [begun.headers["set-cookie"]].flat();
    assert.match(set, /^__Secure-hub=[\w-]+; Path=\/hub; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/);
    const cookie = set.split(";")[0] ?? "";
    assert.equal((await server.request("/hub/channels", { headers: { cookie } })).status, 200);
    const ended = await server.request("/hub/session", { method: "DELETE", headers: { cookie } });
    assert.match(String(ended.headers["set-cookie"]), /^__Secure-hub=; Path=\/hub; Max-Age=0;/);
    const document = (await server.request("/openapi.json")).json() as {
      components: { securitySchemes: { session: { name: string } } };
    };
    assert.equal(document.components.securitySchemes.session.name, "__Secure-hub");
  });

  it("[HTTP-46] is a resource of OAuth by its path, announced at the root of its origin", async () => {
    const settings = {
      publicUrl: "https://x.example",
      basePath: "/hub",
      jwtIssuers: ["https://login.example=https://login.example/keys"],
    };
    const metadata = resourceMetadata({ ...defaults(), ...settings });
    assert.equal(metadata?.resource, "https://x.example/hub/mcp");
    assert.equal(metadata.resource_documentation, "https://x.example/hub/docs");
    await using server = await startServer({ ...settings, allowedHosts: ["x.example"] });
    const refused = await server.request("/hub/mcp", { method: "POST", body: "{}" });
    assert.equal(refused.status, 401);
    const announced = "https://x.example/.well-known/oauth-protected-resource/hub/mcp";
    assert.match(refused.headers["www-authenticate"] ?? "", new RegExp(`resource_metadata="${announced}"`));
    const headers = { origin: "https://client.example" };
    for (const path of [
      "/.well-known/oauth-protected-resource/hub/mcp",
      "/.well-known/oauth-protected-resource/hub",
      "/hub/.well-known/oauth-protected-resource/mcp",
      "/hub/.well-known/oauth-protected-resource",
    ]) {
      const answer = await server.request(path, { headers });
      assert.deepEqual([answer.status, answer.json()], [200, metadata], path);
    }
  });

  it("[HTTP-46] takes tokens that are meant for it, and none for what else is on its origin", async () => {
    const { SignJWT } = await import("jose");
    const secret = "0123456789abcdef0123456789abcdef";
    const settings = { publicUrl: "https://x.example", basePath: "/hub", jwtSecret: secret };
    const verifier = openJwt({ ...defaults(), ...settings }, () => {});
    assert.ok(verifier);
    const token = (audience: string): Promise<string> =>
      new SignJWT({ scope: "hub:read" })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("ann")
        .setAudience(audience)
        .setExpirationTime("1m")
        .sign(new TextEncoder().encode(secret));
    for (const path of ["/hub", "/hub/", "/hub/mcp"]) {
      assert.equal((await verifier.verify(await token(`https://x.example${path}`)))?.subject, "ann", path);
    }
    for (const path of ["", "/", "/mcp", "/shop"]) {
      await assert.rejects(async () => verifier.verify(await token(`https://x.example${path}`)), path);
    }
  });

  it("does not start with a path that its own routes begin with, since some proxies remove it", async () => {
    for (const basePath of ["/docs", "/mcp", "/channels/hub", "/assets"]) {
      const [, first = ""] = basePath.split("/");
      await assert.rejects(startServer({ basePath }), {
        message: `BASE_PATH is "${basePath}", but /${first} is a path of this server's own; use another, such as /hub`,
      });
    }
  });
});
