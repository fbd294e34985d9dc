import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InputRequired, ToolDefinition } from "../../src/mcp/definitions.ts";
import { RequestStates, type StateScope } from "../../src/mcp/request-state.ts";
import { Sealer } from "../../src/core/seal.ts";
import { CLIENT_CAPABILITIES, mcp, resultOf, type McpAnswer } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SCOPE: StateScope = {
  subject: "anna",
  method: "tools/call",
  params: { name: "pay", arguments: { to: "bob", sum: 5 } },
};
const REFUSED = {
  code: -32602,
  message: "requestState was not issued for this request, or has expired; send the request without it",
  data: { reason: "invalid_request_state" },
};

async function refused(opening: Promise<unknown>): Promise<void> {
  await assert.rejects(opening, REFUSED);
}

describe("a sealed state", { concurrency: true }, () => {
  it("opens to what was put in, any JSON", async () => {
    const states = new RequestStates(new Sealer());
    for (const payload of [null, 0, "", "größe", [1, { a: null }], { __proto__x: 1 }, "x".repeat(40_000)]) {
      assert.deepEqual(await states.open(await states.seal(payload, SCOPE), SCOPE), payload);
    }
  });

  it("opens for the same params in any order, and for as often as there is time", async () => {
    const states = new RequestStates(new Sealer());
    const state = await states.seal(1, SCOPE);
    const shuffled = { ...SCOPE, params: { arguments: { sum: 5, to: "bob" }, name: "pay" } };
    for (let n = 0; n < 3; n++) assert.equal(await states.open(state, shuffled), 1);
  });

  it("[MCP-14] is worth nothing to another caller, with another method, or with other params", async () => {
    const states = new RequestStates(new Sealer());
    const state = await states.seal(1, SCOPE);
    for (const scope of [
      { ...SCOPE, subject: "bert" },
      { ...SCOPE, subject: "" },
      { ...SCOPE, method: "prompts/get" },
      { ...SCOPE, params: {} },
      { ...SCOPE, params: { ...SCOPE.params, name: "refund" } },
      { ...SCOPE, params: { ...SCOPE.params, arguments: { to: "bob", sum: 50 } } },
      { ...SCOPE, params: { ...SCOPE.params, arguments: { to: "bob", sum: "5" } } },
      { ...SCOPE, params: { ...SCOPE.params, arguments: { to: "bob" } } },
      { ...SCOPE, params: { ...SCOPE.params, arguments: { to: "bob", sum: 5, more: null } } },
      {
        ...SCOPE,
        params: {
          ...SCOPE.params,
          arguments: [
            ["sum", 5],
            ["to", "bob"],
          ],
        },
      },
      { ...SCOPE, params: { ...SCOPE.params, more: undefined, name: ["pay"] } },
    ]) {
      await refused(states.open(state, scope));
    }
  });

  it("cannot be changed anywhere, not by a bit", async () => {
    const states = new RequestStates(new Sealer());
    const state = await states.seal({ paid: false }, SCOPE);
    for (let index = 0; index < state.length; index++) {
      for (const other of ["A", "B", "C", "Q", "_", "-", ".", "=", "+", "/", " ", "\u0000", "é"]) {
        if (state[index] === other) continue;
        await refused(states.open(state.slice(0, index) + other + state.slice(index + 1), SCOPE));
      }
      await refused(states.open(state.slice(0, index), SCOPE));
      await refused(states.open(state.slice(index + 1), SCOPE));
    }
    // The last character of a signature has bits that mean nothing.
    for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
      if (!state.endsWith(last)) await refused(states.open(state.slice(0, -1) + last, SCOPE));
    }
    const [body = "", signature = ""] = state.split(".");
    for (const wrong of [
      `${state}.`,
      `${state}=`,
      `.${state}`,
      `${state}.${signature}`,
      `${body}.`,
      `.${signature}`,
      body,
      `${signature}.${body}`,
      `${state} `,
      `${state}\n`,
    ]) {
      await refused(states.open(wrong, SCOPE));
    }
  });

  it("of another server, or none, is refused", async () => {
    const states = new RequestStates(new Sealer());
    await refused(states.open(await new RequestStates(new Sealer()).seal(1, SCOPE), SCOPE));
    for (const wrong of [
      "",
      ".",
      "..",
      "null",
      "{}",
      null,
      undefined,
      5,
      true,
      {},
      ["a"],
      "x".repeat(1_000_000),
      "A".repeat(65_537),
    ]) {
      await refused(states.open(wrong, SCOPE));
    }
    const shared = crypto.getRandomValues(new Uint8Array(32));
    assert.equal(
      await new RequestStates(new Sealer(shared)).open(
        await new RequestStates(new Sealer(shared)).seal(1, SCOPE),
        SCOPE,
      ),
      1,
    );
  });

  it("[MCP-14] is too old after ten minutes, or after the time that it was sealed for", async () => {
    let now = 1_000_000;
    const states = new RequestStates(new Sealer(crypto.getRandomValues(new Uint8Array(32)), () => now));
    const state = await states.seal(1, SCOPE);
    now += 600_000;
    assert.equal(await states.open(state, SCOPE), 1);
    now += 1;
    await refused(states.open(state, SCOPE));
    const long = await states.seal(1, SCOPE, 3 * 3_600_000);
    now += 3 * 3_600_000;
    assert.equal(await states.open(long, SCOPE), 1, "one may be sealed for longer");
    now += 1;
    await refused(states.open(long, SCOPE));
  });
});

describe("a request that is asked for input", { concurrency: true }, () => {
  /** Asks for a name, and remembers how often it did. */
  const asking: ToolDefinition = {
    listing: { name: "ask", description: "", inputSchema: { type: "object" } },
    async call(input, call): Promise<InputRequired | { content: [{ type: "text"; text: string }] }> {
      const { state, responses } = call.inputs;
      if (responses["name"] !== undefined) {
        return { content: [{ type: "text", text: JSON.stringify({ state, responses, input }) }] };
      }
      const asked = {
        method: "elicitation/create",
        params: { message: "?", requestedSchema: { type: "object", properties: {} } },
      } as const;
      return {
        resultType: "input_required",
        inputRequests: { name: asked },
        requestState: await call.seal({ rounds: ((state as { rounds: number } | undefined)?.rounds ?? 0) + 1 }),
      };
    },
  };
  const meta = { [CLIENT_CAPABILITIES]: { elicitation: {} } };
  const start = { name: "ask", arguments: { a: 1, b: { c: [2] } } };
  const given = { name: { action: "accept", content: { name: "Zoë" } } };

  async function stateOf(server: TestServer, params: object = start): Promise<string> {
    return resultOf(await mcp(server, "tools/call", params, { meta }))["requestState"] as string;
  }

  function refusal({ status, error }: McpAnswer): unknown {
    return [status, error];
  }

  it("goes on where it was when the state comes back, with another id and on another connection", async () => {
    await using server = await startServer({}, { tools: [asking] });
    const first = await stateOf(server);
    // Not answered, so it is asked again; the rounds add up.
    const second = await stateOf(server, { ...start, inputResponses: {}, requestState: first });
    const answer = await mcp(
      server,
      "tools/call",
      { arguments: { b: { c: [2] }, a: 1 }, name: "ask", inputResponses: { ...given, more: 1 }, requestState: second },
      { id: 2, meta: { ...meta, progressToken: 1 } },
    );
    const { state, responses, input } = JSON.parse(
      (resultOf(answer)["content"] as [{ text: string }])[0].text,
    ) as Record<string, unknown>;
    assert.deepEqual([state, responses, input], [{ rounds: 2 }, { ...given, more: 1 }, { a: 1, b: { c: [2] } }]);
  });

  it("is refused, always in the same words, with a state that is not its own", async () => {
    await using server = await startServer(
      {},
      { tools: [asking, { ...asking, listing: { ...asking.listing, name: "other" } }] },
    );
    await using stranger = await startServer({}, { tools: [asking] });
    const state = await stateOf(server);
    for (const params of [
      { ...start, requestState: `${state}A` },
      { ...start, requestState: state.slice(0, -1) },
      { ...start, requestState: await stateOf(stranger) },
      { ...start, arguments: { a: 2, b: { c: [2] } }, requestState: state },
      { ...start, arguments: undefined, requestState: state },
      { ...start, name: "other", requestState: state },
      { ...start, requestState: 5 },
      { ...start, requestState: [state] },
      { ...start, requestState: "x".repeat(500_000) },
    ]) {
      const answer = await mcp(server, "tools/call", { ...params, inputResponses: given }, { meta });
      assert.deepEqual(refusal(answer), [200, REFUSED]);
    }
    const elsewhere = await mcp(server, "resources/read", { uri: "hub://channels", requestState: state });
    assert.deepEqual(refusal(elsewhere), [200, REFUSED]);
    const prompt = await mcp(server, "prompts/get", {
      name: "catch_up",
      arguments: { channel: "a" },
      requestState: state,
    });
    assert.deepEqual(refusal(prompt), [200, REFUSED]);
  });

  it("is refused with answers that are no object", async () => {
    await using server = await startServer({}, { tools: [asking] });
    for (const inputResponses of [[], "x", 5, true]) {
      const answer = await mcp(server, "tools/call", { ...start, inputResponses }, { meta });
      assert.deepEqual([answer.status, answer.error?.code], [400, -32602]);
      assert.match(answer.error?.message ?? "", /inputResponses/);
    }
  });

  it("is none of the methods that never ask: what they are given of it means nothing", async () => {
    await using server = await startServer();
    const answer = await mcp(server, "tools/list", { requestState: "nonsense", inputResponses: 5 });
    assert.equal(answer.status, 200);
  });
});
