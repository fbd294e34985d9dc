import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { ToolAnswer } from "./server.ts";

/** The official clients, as programs use them. */
export const SDK_CLIENTS = ["v2 in auto mode", "v2 in legacy mode", "v1"] as const;
export type SdkClientName = (typeof SDK_CLIENTS)[number];

export interface CallOptions {
  readonly onprogress?: (progress: { progress: number; total?: number | undefined }) => void;
  readonly signal?: AbortSignal;
}

/** An official client that is connected, whatever its version. */
export interface SdkClient extends AsyncDisposable {
  /** As many of the methods as are the same in both. */
  readonly client: ClientV1 | ClientV2;
  /** The revision agreed on. */
  readonly revision: string | undefined;
  call(name: string, input?: Record<string, unknown>, options?: CallOptions): Promise<ToolAnswer>;
  /** Asks to be told when this resource or the list of resources changes; resolves when that is agreed. */
  follow(uri: string, updated: (uri: string) => void, listChanged: () => void): Promise<void>;
}

/** What a person answers to a question; a client without this has no elicitation. */
export type Person = (
  message: string,
  schema: unknown,
) => {
  action: "accept" | "decline" | "cancel";
  content?: Record<string, string | number | boolean>;
};

export async function openSdkClient(name: SdkClientName, url: string, person?: Person): Promise<SdkClient> {
  return name === "v1" ? openV1(url, person) : openV2(url, name === "v2 in auto mode" ? "auto" : "legacy", person);
}

const INFO = { name: "test", version: "1.0.0" };

async function openV1(url: string, person?: Person): Promise<SdkClient> {
  const client = new ClientV1(INFO, { capabilities: person === undefined ? {} : { elicitation: {} } });
  if (person !== undefined)
    client.setRequestHandler(ElicitRequestSchema, ({ params }) =>
      person(params.message, "requestedSchema" in params && params.requestedSchema),
    );
  const transport = new TransportV1(new URL(`${url}/mcp`));
  await client.connect(transport);
  return {
    client,
    revision: transport.protocolVersion,
    async call(tool, input = {}, options = {}) {
      return (await client.callTool({ name: tool, arguments: input }, undefined, options)) as unknown as ToolAnswer;
    },
    async follow(uri, updated, listChanged) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated(params.uri));
      client.setNotificationHandler(ResourceListChangedNotificationSchema, () => listChanged());
      await client.subscribeResource({ uri });
    },
    async [Symbol.asyncDispose]() {
      await transport.terminateSession();
      await client.close();
    },
  };
}

async function openV2(url: string, mode: "auto" | "legacy", person?: Person): Promise<SdkClient> {
  const capabilities = person === undefined ? {} : { elicitation: {} };
  const client = new ClientV2(INFO, { capabilities, versionNegotiation: { mode } });
  if (person !== undefined)
    client.setRequestHandler("elicitation/create", ({ params }) =>
      person(params.message, "requestedSchema" in params && params.requestedSchema),
    );
  const transport = new TransportV2(new URL(`${url}/mcp`));
  await client.connect(transport);
  return {
    client,
    revision: client.getNegotiatedProtocolVersion(),
    async call(tool, input = {}, options = {}) {
      return (await client.callTool({ name: tool, arguments: input }, options)) as unknown as ToolAnswer;
    },
    async follow(uri, updated, listChanged) {
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => updated(params.uri));
      client.setNotificationHandler("notifications/resources/list_changed", () => listChanged());
      if (mode === "legacy") await client.subscribeResource({ uri });
      else await client.listen({ resourceSubscriptions: [uri], resourcesListChanged: true });
    },
    async [Symbol.asyncDispose]() {
      if (mode === "legacy") await transport.terminateSession();
      await client.close();
    },
  };
}
