import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client as ClientV2, SSEClientTransport as SseV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as SseV1 } from "@modelcontextprotocol/sdk/client/sse.js";
import { LegacyClient } from "../support/legacy-client.ts";
import { openSdkClient, SDK_CLIENTS } from "../support/mcp-clients.ts";
import { startServer, type TestServer, type ToolAnswer } from "../support/server.ts";
import { openStdioClient, STDIO_CLIENTS, type StdioClientName } from "../support/stdio-clients.ts";
import { until } from "../support/until.ts";

const INFO = { name: "test", version: "1.0.0" };
const WAITING = 'sse_mcp_connections{door="waiting"}';
/** Milliseconds after which a client gives up if it hears nothing. */
const PATIENCE = 9000;

interface Agent extends AsyncDisposable {
  readonly client: ClientV1 | ClientV2;
}

/** Each official client through each door that streams. */
const AGENTS: Readonly<Record<string, (server: TestServer) => Promise<Agent>>> = {
  ...Object.fromEntries(SDK_CLIENTS.map((name) => [name, (server: TestServer) => openSdkClient(name, server.url)])),
  ...Object.fromEntries(
    (Object.keys(STDIO_CLIENTS) as StdioClientName[]).map((name) => [
      `${name} over stdio`,
      (server: TestServer) => openStdioClient(name, ["--url", server.url]),
    ]),
  ),
  "v2 over HTTP+SSE": async ({ url }) => {
    const client = new ClientV2(INFO, { versionNegotiation: { mode: "legacy" } });
    await client.connect(new SseV2(new URL(`${url}/sse`)));
    return { client, [Symbol.asyncDispose]: () => client.close() };
  },
  "v1 over HTTP+SSE": async ({ url }) => {
    const client = new ClientV1(INFO);
    await client.connect(new SseV1(new URL(`${url}/sse`)));
    return { client, [Symbol.asyncDispose]: () => client.close() };
  },
};

interface Progress {
  readonly progress: number;
  readonly total?: number | undefined;
}

async function wait(
  { client }: Agent,
  timeoutSeconds: number,
  onprogress: (progress: Progress) => void,
): Promise<ToolAnswer> {
  const call = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds, exceptSender: ["me"] } };
  const options = { onprogress, timeout: PATIENCE, resetTimeoutOnProgress: true };
  const answer =
    client instanceof ClientV1 ? client.callTool(call, undefined, options) : client.callTool(call, options);
  return (await answer) as unknown as ToolAnswer;
}

describe("a wait that is longer than its client's patience", { concurrency: 4 }, () => {
  for (const [name, open] of Object.entries(AGENTS)) {
    it(`goes on for ${name}, which hears of it at once and again and again, until a message wakes it`, async () => {
      await using server = await startServer({ legacySse: true });
      await using agent = await open(server);
      const told: Progress[] = [];
      const waiting = wait(agent, 55, (progress) => told.push(progress));
      await until("it is told twice more", () => told.length === 3);
      assert.ok((told[0]?.progress ?? 1) < 1 && (told[2]?.progress ?? 0) > PATIENCE / 1000);
      assert.ok(told.every(({ total }) => total === 55));
      await server.request("/channels/a/messages?sender=test", { method: "POST", body: "mine" });
      await server.publish("a", "wake");
      const { structuredContent } = await waiting;
      assert.deepEqual(
        (structuredContent["messages"] as { data: unknown }[]).map(({ data }) => data),
        ["wake"],
      );
    });

    it(`[TOOL-17] of hours ends for ${name} when the server stops, with a cursor`, async () => {
      await using server = await startServer({ legacySse: true });
      const { id } = await server.publish("a", "before");
      const agent = await open(server);
      await using _ = { [Symbol.asyncDispose]: () => agent.client.close() };
      let isTold = false;
      const waiting = wait(agent, 6 * 3600, () => (isTold = true));
      await until("it waits", () => isTold);
      const closing = server.close();
      const { structuredContent, content } = await waiting;
      assert.deepEqual([structuredContent["messages"], structuredContent["next"]], [[], id]);
      assert.match(content[0]?.text ?? "", /^The wait ended early/);
      await closing;
    });
  }

  it("is of 50 seconds for a client that takes no stream, whatever it asks for", async () => {
    await using server = await startServer();
    const session = await LegacyClient.open(server);
    const input = { channels: ["a"], timeoutSeconds: 3600 };
    const params = { name: "wait_for_messages", arguments: input, _meta: { progressToken: 1 } };
    const waiting = session.post({ id: 7, method: "tools/call", params }, { accept: "application/json" });
    await until("it waits", async () => (await server.metric(WAITING)) === 1);
    await server.publish("a", 1);
    const { headers, text } = await waiting;
    assert.match(String(headers["content-type"]), /^application\/json/);
    assert.doesNotMatch(text, /progress/);
  });
});
