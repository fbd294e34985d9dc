import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { SecureContextOptions } from "node:tls";
import { Authority } from "../support/certificates.ts";
import { EventReader } from "../support/event-reader.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { request, type Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const folder = new TemporaryFolder();
let authority: Authority;

before(() => void (authority = new Authority(folder.path)));
after(() => folder[Symbol.dispose]());

/** A server that takes certificates of clients. */
function start(name: string, overrides = {}): Promise<TestServer> {
  return startServer({
    ...authority.server(name),
    tlsClientCa: authority.file,
    certificatePublish: ["billing=orders.*", "news"],
    certificateSubscribe: ["orders.*"],
    ...overrides,
  });
}

function publish({ url }: TestServer, channel: string, tls: SecureContextOptions = {}): Promise<Answer> {
  const options = { method: "POST", headers: { "content-type": "text/plain" }, body: "x" };
  return request(`${url}/channels/${channel}/messages`, { ...options, tls: { ca: authority.pem, ...tls } });
}

describe("a client's certificate", { concurrency: true }, () => {
  it("makes its common name the principal, with what the settings grant to all and to that name", async () => {
    await using server = await start("names");
    const billing = authority.sign("billing", "/CN=billing");
    const other = authority.sign("shipping", "/O=team", "DNS:shipping.example");
    using reader = await FrameReader.open(`${server.url.replace("https", "wss")}/ws?channel=orders.*`, {
      tls: { ca: authority.pem, ...billing },
    });
    await reader.nextOf("welcome");
    assert.equal((await publish(server, "orders.eu", billing)).status, 201);
    assert.equal((await reader.nextOf("message"))["sender"], "billing");
    assert.equal((await publish(server, "orders.eu", other)).status, 403);
    assert.equal((await publish(server, "news", other)).status, 201);
    const metrics = await request(`${server.url}/metrics`, { tls: { ca: authority.pem, ...billing } });
    assert.equal(metrics.status, 403);
  });

  it("is asked for and not required: without one other credentials count, and none is 401", async () => {
    await using server = await start("optional", { anonymousSubscribe: ["news"] });
    const tls = { ca: authority.pem };
    using events = await EventReader.open(`${server.url}/events?channel=news`, { tls });
    assert.equal(events.status, 200);
    assert.equal((await publish(server, "orders.eu")).status, 401);
    assert.equal((await request(`${server.url}/events?channel=orders.eu`, { tls })).status, 401);
  });

  it("of another authority, signed by itself, or past its time is 401, never anonymous", async () => {
    await using server = await start("bad", { anonymousPublish: ["*"] });
    const stranger = new Authority(folder.path, "stranger");
    const forged = stranger.sign("forged", "/CN=billing");
    const own = { cert: stranger.pem, key: readFileSync(stranger.path("stranger.key")) };
    const old = authority.sign("old", "/CN=billing", undefined, "0");
    for (const tls of [forged, own, old]) {
      const { status, headers, text } = await publish(server, "orders.eu", tls);
      assert.deepEqual([status, headers["www-authenticate"]], [401, 'Bearer error="invalid_token"']);
      assert.doesNotMatch(text, /CERT|issuer/i);
    }
    assert.equal((await publish(server, "orders.eu")).status, 201);
  });
});
