import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { HubError, hubErrorCodes } from "../../src/core/errors.ts";
import { asHubError, problem, rawProblem } from "../../src/http/problem-details.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("a failure inside the server", () => {
  it("is answered as an internal error at every door, without what it was, which the log says", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "error", logFile });
    using frames = await server.frames();
    await frames.next();
    server.hub.publish = () => Promise.reject(new Error("secret: /var/lib/hub"));
    const publish = await server.request("/channels/a/messages", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    const body = '{"id":1,"params":{"name":"send_sse_message","arguments":{"message":"x"}}}';
    const call = await server.request("/mcp/tools/call", { method: "POST", body });
    const frame = await frames.ask({ type: "publish", channel: "a", data: 1, id: 2 });
    const tool = await frames.ask({ type: "mcp_call", tool: "send_sse_message", arguments: { message: "x" }, id: 3 });
    const told = { code: "INTERNAL", retry: true };
    const { code, retry } = publish.json() as { code: string; retry: boolean };
    assert.deepEqual([publish.status, publish.headers["retry-after"], { code, retry }], [500, "2", told]);
    const { id, error } = call.json() as { id: number; error: { code: number; data: object } };
    assert.deepEqual([call.status, id, error.code, error.data], [500, 1, -32603, told]);
    for (const [answer, asked] of [
      [frame, 2],
      [tool, 3],
    ] as const) {
      const { message: _, ...rest } = answer;
      assert.deepEqual(rest, { type: "error", id: asked, ...told, retryAfter: 2 });
    }
    for (const answer of [publish.text, call.text, JSON.stringify(frame), JSON.stringify(tool)])
      assert.doesNotMatch(answer, /secret|var/);
    await until("four lines", () => readFileSync(logFile, "utf8").split("\n").length > 4);
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { err: { message: string } }).err.message),
      Array(4).fill("secret: /var/lib/hub"),
    );
    assert.equal((await server.request("/health/live")).status, 200);
  });
});

describe("a failure as it is told", () => {
  it("has a title for every status there is, and says whether to try again", () => {
    for (const code of hubErrorCodes) {
      const { title, status, type, detail, retry } = problem(new HubError(code, "Why."));
      assert.notEqual(title, "Error", code);
      assert.equal(retry, new HubError(code, "").retry, code);
      assert.deepEqual([type, detail, new HubError(code, "").status], ["about:blank", "Why.", status]);
    }
  });

  it("is a whole response where nobody else writes one, with its length in bytes and when to come back", () => {
    const text = rawProblem(new HubError("OVERLOADED", "Too much: é"), { metadataUrl: undefined });
    const [head = "", body = ""] = text.split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(head, new RegExp(`^content-length: ${Buffer.byteLength(body)}\r?$`, "m"));
    assert.match(head, /^retry-after: 2\r?$/m);
    assert.equal((JSON.parse(body) as { detail: string }).detail, "Too much: é");
    assert.doesNotMatch(rawProblem(new HubError("NOT_FOUND", "x"), { metadataUrl: undefined }), /retry-after/);
  });

  it("is one of ours, whatever was thrown", () => {
    const thrown = [undefined, null, "text", 7, new Error("x"), { statusCode: 500 }];
    for (const error of thrown) assert.equal(asHubError(error, 1).code, "INTERNAL");
    assert.equal(asHubError({ statusCode: 418 }, 1).code, "INVALID_REQUEST");
    const ours = new HubError("OVERLOADED", "x");
    assert.equal(asHubError(ours, 1), ours);
  });
});
