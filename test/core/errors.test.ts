import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HubError, hubErrorCodes } from "../../src/core/errors.ts";

describe("a failure", () => {
  it("says how HTTP and JSON-RPC answer it and whether to try again", () => {
    const error = new HubError("LOG_UNAVAILABLE", "the disk is full", { cause: "why" });
    assert.ok(error instanceof Error);
    assert.deepEqual(
      [error.name, error.code, error.message, error.status, error.rpcCode, error.retry, error.cause],
      ["HubError", "LOG_UNAVAILABLE", "the disk is full", 503, 503, true, "why"],
    );
  });

  it("has a code in capitals, an error status, and a JSON-RPC code that is the specification's own or the status", () => {
    const defined = new Set([-32700, -32600, -32601, -32602, -32603]);
    assert.ok(hubErrorCodes.length > 20);
    for (const code of hubErrorCodes) {
      const { status, rpcCode } = new HubError(code, "");
      assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
      assert.ok(status >= 400 && status <= 599, code);
      assert.ok(defined.has(rpcCode) || rpcCode === status, code);
    }
  });

  it("is worth another try exactly where waiting helps", () => {
    const waiting = hubErrorCodes.filter((code) => new HubError(code, "").retry);
    assert.deepEqual(waiting.sort(), [
      "AUTH_UNAVAILABLE",
      "INTERNAL",
      "LOG_UNAVAILABLE",
      "OVERLOADED",
      "RATE_LIMITED",
      "REQUEST_TIMEOUT",
      "SHUTTING_DOWN",
      "TOO_MANY_CONNECTIONS",
    ]);
  });
});
