import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { eraOf, kindOf } from "../../src/mcp/classify.ts";
import { isId } from "../../src/protocol/jsonrpc.ts";
import { mcp, mcpText, PROTOCOL_VERSION, VERSION } from "../support/mcp.ts";
import { startServer } from "../support/server.ts";

const INITIALIZE = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25" } };
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };

function withMeta(meta: object): object {
  return { ...LIST, params: { _meta: meta } };
}

function era(body: unknown, headers: Record<string, string> = {}): string {
  return eraOf(body, (name) => headers[name]);
}

describe("the era of a request", () => {
  it("[MCP-1] is the modern one where _meta names a version, whichever, and whatever the headers say", () => {
    for (const version of [VERSION, "2025-11-25", "2099-01-01", 5, null]) {
      const body = withMeta({ [PROTOCOL_VERSION]: version });
      assert.equal(era(body), "modern");
      assert.equal(era(body, { "mcp-session-id": "x", "mcp-protocol-version": "2025-11-25" }), "modern");
      assert.equal(era({ ...body, method: "initialize" }), "modern");
    }
  });

  it("is the modern one where a header names a modern version, or one nobody knows, or a method", () => {
    for (const body of [LIST, withMeta({}), [], [LIST], null, "text", 5]) {
      assert.equal(era(body, { "mcp-protocol-version": VERSION }), "modern");
      assert.equal(era(body, { "mcp-protocol-version": VERSION, "mcp-session-id": "x" }), "modern");
      assert.equal(era(body, { "mcp-protocol-version": "2099-01-01" }), "modern");
      assert.equal(era(body, { "mcp-method": "tools/list" }), "modern");
    }
  });

  it("is that of sessions for everything else", () => {
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
      assert.equal(era(LIST, { "mcp-protocol-version": version }), "legacy");
      assert.equal(era(LIST, { "mcp-protocol-version": version, "mcp-method": "tools/list" }), "legacy");
    }
    assert.equal(era(INITIALIZE), "legacy");
    assert.equal(era(INITIALIZE, { "mcp-protocol-version": "2099-01-01" }), "legacy");
    assert.equal(era(LIST, { "mcp-session-id": "x" }), "legacy");
    assert.equal(era(LIST, { "mcp-session-id": "x", "mcp-method": "tools/list" }), "legacy");
    assert.equal(era(LIST, { "mcp-session-id": "x", "mcp-protocol-version": "2099-01-01" }), "legacy");
    for (const body of [LIST, withMeta({ progressToken: 1 }), [], null, "text"]) assert.equal(era(body), "legacy");
  });

  it("is not decided by what only looks like a version", () => {
    assert.equal(
      era({ ...LIST, params: JSON.parse(`{"__proto__":{"_meta":{"${PROTOCOL_VERSION}":"${VERSION}"}}}`) as object }),
      "legacy",
    );
    assert.equal(era(withMeta(Object.create({ [PROTOCOL_VERSION]: VERSION }) as object)), "legacy");
    assert.equal(era({ ...LIST, params: { _meta: [VERSION] } }), "legacy");
  });

  it("is the same on one connection only by chance: each request is looked at by itself", async () => {
    await using server = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
    const params = { ...INITIALIZE.params, capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } };
    const body = JSON.stringify({ ...INITIALIZE, params });
    for (let round = 0; round < 3; round++) {
      const opened = await server.request("/mcp", { method: "POST", headers, body, agent });
      assert.match(String(opened.headers["mcp-session-id"]), /^[\x21-\x7e]+$/);
      const listed = await mcp(server, "tools/list", {}, { agent });
      assert.deepEqual([listed.status, listed.headers["mcp-session-id"]], [200, undefined]);
    }
    assert.equal(Object.values(agent.freeSockets).flat().length, 1);
    agent.destroy();
  });

  it("[MCP-1] without a mark is answered with how to make one", async () => {
    await using server = await startServer();
    const answer = await server.request("/mcp", { method: "POST", body: JSON.stringify(LIST) });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /initialize.*MCP-Protocol-Version.*2026-07-28/);
    const { id } = await mcpText(server, JSON.stringify(LIST));
    assert.equal(id, 1);
  });
});

describe("the kind of a message", () => {
  it("is told by its id, its method and its result", () => {
    for (const [body, kind] of [
      [LIST, "request"],
      [{ ...LIST, id: "" }, "request"],
      [{ ...LIST, id: 0 }, "request"],
      [{ jsonrpc: "2.0", method: "notifications/x" }, "notification"],
      [{ jsonrpc: "2.0", id: 1, result: {} }, "response"],
      [{ jsonrpc: "2.0", error: { code: 1, message: "" } }, "response"],
      [{ ...LIST, id: null }, undefined],
      [{ ...LIST, id: 1.5 }, undefined],
      [{ ...LIST, jsonrpc: "1.0" }, undefined],
      [{ ...LIST, method: 5 }, undefined],
      [{ jsonrpc: "2.0", id: 1 }, undefined],
      [{}, undefined],
      [[LIST], undefined],
      [null, undefined],
      ["2.0", undefined],
    ] as const) {
      assert.equal(kindOf(body), kind, JSON.stringify(body));
    }
  });

  it("counts as an id what comes back as it was given", () => {
    for (const id of ["", "a", "x".repeat(256), 0, -1, Number.MAX_SAFE_INTEGER]) assert.ok(isId(id));
    for (const id of ["x".repeat(257), 0.1, 2 ** 53, Infinity, NaN, null, undefined, true, {}, []])
      assert.ok(!isId(id));
  });
});
