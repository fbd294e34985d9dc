import { join } from "node:path";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as TransportV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { COMPILED } from "./compiled.ts";
import type { ToolAnswer } from "./server.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const INFO = { name: "test", version: "1.0.0" };

/** The official clients over stdio, and the revision each agrees on. */
export const STDIO_CLIENTS = { "v2 in auto mode": "2026-07-28", "v2 in legacy mode": "2025-11-25", v1: "2025-11-25" };
export type StdioClientName = keyof typeof STDIO_CLIENTS;

/** An official client that has started `sse-mcp-server stdio`. */
export interface StdioClient extends AsyncDisposable {
  readonly client: ClientV1 | ClientV2;
  call(name: string, input?: Record<string, unknown>, signal?: AbortSignal): Promise<ToolAnswer>;
  /** Asks to be told when a resource changes; resolves when that is agreed. */
  follow(uri: string, updated: (uri: string) => void): Promise<void>;
}

export async function openStdioClient(name: StdioClientName, words: readonly string[]): Promise<StdioClient> {
  const parameters = {
    command: process.execPath,
    args: [MAIN, "stdio", ...words],
    env: COMPILED,
    stderr: "ignore" as const,
  };
  if (name === "v1") return openV1(parameters);
  const isModern = name === "v2 in auto mode";
  const client = new ClientV2(INFO, { versionNegotiation: { mode: isModern ? "auto" : "legacy" } });
  await client.connect(new TransportV2(parameters));
  return {
    client,
    async call(tool, input = {}, signal) {
      const options = signal === undefined ? {} : { signal };
      return (await client.callTool({ name: tool, arguments: input }, options)) as unknown as ToolAnswer;
    },
    async follow(uri, updated) {
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => updated(params.uri));
      if (isModern) await client.listen({ resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openV1(parameters: ConstructorParameters<typeof TransportV1>[0]): Promise<StdioClient> {
  const client = new ClientV1(INFO);
  await client.connect(new TransportV1(parameters));
  return {
    client,
    async call(tool, input = {}, signal) {
      const options = signal === undefined ? {} : { signal };
      return (await client.callTool({ name: tool, arguments: input }, undefined, options)) as unknown as ToolAnswer;
    },
    async follow(uri, updated) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated(params.uri));
      await client.subscribeResource({ uri });
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
