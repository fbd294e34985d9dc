import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { startServer } from "../support/server.ts";

const SCRIPT = "/assets/scripts/chat.js";
const DECODERS = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };

describe("an answer", () => {
  it("[HTTP-50] is compressed as the client prefers, and holds the same", async () => {
    await using server = await startServer();
    for (let n = 0; n < 20; n++) await server.publish("a", `${n} ${"x".repeat(100)}`);
    for (const path of [SCRIPT, "/client.js", "/", "/openapi.json", "/channels/a/messages"]) {
      const { text } = await server.request(path);
      for (const [name, decoded] of Object.entries(DECODERS)) {
        const { headers, bytes } = await server.request(path, { headers: { "accept-encoding": name } });
        assert.deepEqual([headers["content-encoding"], decoded(bytes).toString()], [name, text], path);
      }
    }
    const coding = async (accepted: string): Promise<unknown> =>
      (await server.request("/openapi.json", { headers: { "accept-encoding": accepted } })).headers["content-encoding"];
    for (const accepted of ["gzip", "GZIP", "x-gzip", "gzip;q=0.1", "br;q=0.5, gzip", "gzip, identity;q=0.5"])
      assert.equal(await coding(accepted), "gzip", accepted);
    assert.equal(await coding("gzip, deflate, br, zstd"), "zstd");
    for (const accepted of ["", "identity", "gzip;q=0", "gzip;q=0, br;q=0.0", "identity, gzip;q=0.5", "*;q=0"])
      assert.equal(await coding(accepted), undefined, accepted);
  });

  it("[HTTP-50] has the headers that HEAD has", async () => {
    await using server = await startServer();
    for (let n = 0; n < 20; n++) await server.publish("a", "x".repeat(100));
    for (const path of [SCRIPT, "/openapi.json", "/channels/a/messages", "/client.js", "/"]) {
      for (const accepted of ["gzip", "zstd", "identity"]) {
        const headers = { "accept-encoding": accepted, "x-request-id": "same" };
        const get = await server.request(path, { headers });
        const head = await server.request(path, { headers, method: "HEAD" });
        const { date, "x-request-id": id } = head.headers;
        const of = { ...get.headers, date, "x-request-id": id };
        // Where the length is found out only by compressing, there is none.
        if (head.headers["content-length"] === undefined) delete of["content-length"];
        delete of["transfer-encoding"];
        delete head.headers["transfer-encoding"];
        assert.deepEqual([head.text, head.headers], ["", of], `${path} ${accepted}`);
      }
    }
  });

  it("[HTTP-50] varies by Accept-Encoding for caches, and is not sent again to a client that has it", async () => {
    await using server = await startServer();
    for (const path of [SCRIPT, "/client.js"]) {
      for (const accepted of ["gzip", "identity"]) {
        const { headers } = await server.request(path, { headers: { "accept-encoding": accepted } });
        assert.match(headers.vary ?? "", /(?:^|, )accept-encoding$/, path);
        assert.match(headers.etag ?? "", /^W\//, "it is about what is in it, not about its bytes");
        const asked = { "accept-encoding": accepted, "if-none-match": headers.etag };
        const again = await server.request(path, { headers: asked });
        assert.deepEqual([again.status, again.text, again.headers["content-encoding"]], [304, "", undefined], path);
        assert.equal(again.headers.etag, headers.etag);
      }
    }
  });

  it("[HTTP-50] names what it varies by once, also if it was compressed beforehand", async () => {
    await using server = await startServer();
    for (const path of ["/assets/api/swagger-ui.css", SCRIPT, "/client.js", "/openapi.json"]) {
      for (const accepted of ["gzip", "br", "identity"]) {
        const { headers } = await server.request(path, { headers: { "accept-encoding": accepted } });
        const names = (headers.vary ?? "").toLowerCase().split(", ");
        assert.deepEqual(
          [names.toSorted().join(), headers["content-encoding"] ?? "identity"],
          ["accept-encoding,origin", accepted],
          path,
        );
      }
    }
  });

  it("[HTTP-50] is not compressed if a part of it was asked for", async () => {
    await using server = await startServer();
    const { text } = await server.request(SCRIPT);
    const part = await server.request(SCRIPT, { headers: { "accept-encoding": "gzip", range: "bytes=10-2009" } });
    assert.deepEqual([part.status, part.headers["content-encoding"]], [206, undefined]);
    assert.equal(part.text, text.slice(10, 2010));
  });

  it("[HTTP-50] is not compressed if it is short or says who someone is", async () => {
    const anonymousPublish = Array.from({ length: 100 }, (_, n) => `a-channel-with-a-long-name.${n}`);
    await using server = await startServer({ anonymousPublish, jwtSecret: "x".repeat(32), jwtAudience: ["hub"] });
    const asked = { headers: { "accept-encoding": "gzip, br, zstd" } };
    const session = await server.request("/session", asked);
    assert.ok(session.text.length > 2000);
    assert.deepEqual([session.status, session.headers["content-encoding"]], [200, undefined]);
    for (const path of ["/health", "/health/live", "/channels", "/nowhere", "/login/start"])
      assert.equal((await server.request(path, asked)).headers["content-encoding"], undefined, path);
  });
});
