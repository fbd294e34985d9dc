import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  type RawClientDispatch,
  type TaskEnabledSession,
} from "@modelcontextprotocol/ext-tasks/client";
import { openQuestion, sayOnHub } from "../support/asking.ts";
import { mcp, type McpAnswer } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";

const FRAMING = {
  protocolVersion: "2026-07-28",
  clientInfo: { name: "ext", version: "1.0.0" },
  clientCapabilities: { elicitation: {}, extensions: { "io.modelcontextprotocol/tasks": {} } },
};

interface Asked extends AsyncDisposable {
  readonly session: TaskEnabledSession;
}

/** The official requester of tasks, on the official client. */
async function openRequester(server: TestServer): Promise<Asked> {
  const client = new Client(FRAMING.clientInfo, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`)));
  const rawDispatch: RawClientDispatch = async (request) => {
    const { method, params } = request as { method: string; params: { _meta: Record<string, unknown> } };
    const { error, result }: McpAnswer = await mcp(server, method, params, { meta: params._meta });
    return (error === undefined ? { kind: "result", result } : { kind: "error", error }) as Awaited<
      ReturnType<RawClientDispatch>
    >;
  };
  const session = createTaskSessionFromClient(client, {
    endpointId: "test",
    rawDispatch,
    v2RequestFraming: FRAMING,
    onInputRequest: async () => ({ action: "accept", content: { answer: true } }) as never,
  });
  return {
    session,
    async [Symbol.asyncDispose]() {
      await session.close();
      await client.close();
    },
  };
}

describe("the official client of tasks", { concurrency: true }, () => {
  it("[MCP-50] gets the answer that someone gives on the hub", async () => {
    await using server = await startServer();
    await using requester = await openRequester(server);
    const execution = await requester.session.callTool("ask_person", { question: "Deploy?" });
    assert.equal(await sayOnHub(server, (await openQuestion(server)).id, true), 200);
    const { outcome } = await execution.settle();
    assert.match(JSON.stringify(resultFromTaskOutcome(outcome)), /Ana answered: true/);
  });

  it("[MCP-50] has its user answer a question that is for them", async () => {
    await using server = await startServer();
    await using requester = await openRequester(server);
    const input = { question: "Deploy?", assignees: ["@user"] };
    const execution = await requester.session.callTool("ask_person", input);
    const { outcome } = await execution.settle();
    assert.match(JSON.stringify(resultFromTaskOutcome(outcome)), /ext answered: true/);
  });
});
