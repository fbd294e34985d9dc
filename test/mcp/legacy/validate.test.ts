import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkedPost, checkInitialize, idsOf, Refusal } from "../../../src/mcp/legacy/validate.ts";

const idle = { atWork: 0, isInUse: () => false };

/** Status, code, id and sentence of the refusal of a POST; undefined if it is not refused. */
function refused(body: unknown, version = "2025-11-25"): readonly unknown[] | undefined {
  return refusalOf(() => checkedPost(body, { ...idle, version }));
}

function refusalOf(check: () => unknown): readonly unknown[] | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return [error.status, error.code, error.id, error.message];
  }
}

describe("a POST in a session", { concurrency: true }, () => {
  it("goes on where it is a request, a notification or a response", () => {
    for (const body of [
      { jsonrpc: "2.0", id: 0, method: "" },
      { jsonrpc: "2.0", id: "", method: "a", params: {} },
      { jsonrpc: "2.0", id: 1, method: "a", params: { _meta: { progressToken: "t", other: null } } },
      { jsonrpc: "2.0", method: "notifications/x", params: { deep: [[[]]] } },
      { jsonrpc: "2.0", id: 5, result: {} },
      { jsonrpc: "2.0", id: 5, error: { code: 1, message: "no", data: [] } },
    ]) {
      assert.equal(refused(body), undefined, JSON.stringify(body));
    }
  });

  it("is refused with -32600 where it is no message, with its id where it has one", () => {
    const wrong: readonly [unknown, unknown][] = [
      [null, null],
      [5, null],
      ["x", null],
      [{}, null],
      [{ jsonrpc: "1.0", id: 1, method: "a" }, 1],
      [{ jsonrpc: "2.0", id: 1 }, 1],
      [{ jsonrpc: "2.0", id: null, method: "a" }, null],
      [{ jsonrpc: "2.0", id: 1.5, method: "a" }, null],
      [{ jsonrpc: "2.0", id: 2 ** 53, method: "a" }, null],
      [{ jsonrpc: "2.0", id: [], method: "a" }, null],
      [{ jsonrpc: "2.0", id: "x".repeat(1000), method: "a" }, null],
      [{ jsonrpc: "2.0", id: 1, method: 5 }, 1],
      [{ jsonrpc: "2.0", id: "a", method: "x", surplus: 1 }, "a"],
      [{ jsonrpc: "2.0", id: 5, result: 1 }, null],
      [{ jsonrpc: "2.0", id: 5, error: "x" }, null],
    ];
    for (const [body, id] of wrong) {
      const found = refused(body);
      assert.deepEqual(found?.slice(0, 3), [400, -32600, id], JSON.stringify(body));
      assert.ok(String(found?.[3]).length < 300);
    }
  });

  it("is refused where an object that is looked through has more properties than any should", () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [`k${at}`, 0]));
    for (const [body, sentence] of [
      [{ jsonrpc: "2.0", id: 1, method: "a", params: many }, /^params has 1001 properties; at most 1000 are allowed$/],
      [{ jsonrpc: "2.0", method: "a", params: { _meta: many } }, /^params\._meta has 1001 properties/],
      [{ jsonrpc: "2.0", id: 1, result: many }, /^result has 1001 properties/],
    ] as const)
      assert.match(String(refused(body)?.[3]), sentence);
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x", arguments: many } };
    assert.equal(refused(call), undefined);
  });

  it("is refused with -32602 where its params are wrong for any method, and the sentence names the field", () => {
    const wrong: readonly [unknown, RegExp][] = [
      [[1], /^params must be an object, not an array$/],
      [null, /^params must be an object, not null$/],
      ["x", /^params must be an object/],
      [{ _meta: 5 }, /^params\._meta must be an object, not a number$/],
      [{ _meta: { progressToken: {} } }, /^params\._meta\.progressToken/],
    ];
    for (const [params, sentence] of wrong) {
      const found = refused({ jsonrpc: "2.0", id: 1, method: "ping", params });
      assert.deepEqual(found?.slice(0, 3), [400, -32602, 1]);
      assert.match(String(found?.[3]), sentence);
    }
  });

  it("is refused where it initializes a session again, alone or in a batch", () => {
    const again = { jsonrpc: "2.0", id: 1, method: "initialize", params: {} };
    for (const body of [again, [{ jsonrpc: "2.0", id: 2, method: "ping" }, again]]) {
      const found = refused(body, "2025-03-26");
      assert.deepEqual(found?.slice(0, 3), [400, -32600, 1]);
    }
  });

  it("names the requests it makes, and nothing else", () => {
    const body = [
      { jsonrpc: "2.0", id: 1, method: "a" },
      { jsonrpc: "2.0", method: "b" },
      { jsonrpc: "2.0", id: "x", result: {} },
      { jsonrpc: "2.0", id: "2", method: "notifications/cancelled", params: { requestId: 7 } },
    ];
    assert.deepEqual(idsOf(body), [1, "2"]);
  });

  it("opens a session where it says what the client is, has and speaks", () => {
    const params = { protocolVersion: "x", capabilities: {}, clientInfo: { name: "a", version: "" } };
    const body = (more: object): object => ({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { ...params, ...more },
    });
    assert.equal(
      refusalOf(() => checkInitialize(body({}) as never)),
      undefined,
    );
    const found = refusalOf(() => checkInitialize(body({ clientInfo: { name: 1 } }) as never));
    assert.deepEqual(found, [
      400,
      -32602,
      1,
      "params.clientInfo.name must be a string, not a number; params.clientInfo.version is missing; give a string",
    ]);
  });
});
