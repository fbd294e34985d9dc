import { z } from "zod";
import { each, list, NUMBER, object, TEXT, WHOLE } from "./json-schema.ts";
import { keepJson } from "../protocol/jsonrpc.ts";
import type { ServerInfo } from "../protocol/server-info.ts";
import { tool, type Tool } from "./tool.ts";

export const getServerInfo: Tool = tool({
  name: "get_server_info",
  title: "Server info",
  description: "Get information about the SSE MCP server",
  input: z.strictObject({}),
  output: object({
    name: TEXT,
    version: TEXT,
    uptimeSeconds: WHOLE,
    protocolVersions: list(TEXT),
    connections: each(WHOLE),
    messages: each(NUMBER),
    delivery: each({ type: ["number", "null"] }),
    channels: WHOLE,
    cpu: each(NUMBER),
    memory: each(WHOLE),
    eventLoop: each(NUMBER),
    limits: each(WHOLE),
  }),
  readOnly: true,
  authorize() {},
  async run(_, { info }) {
    const structured = info();
    // The info is the same object for a second, so its text is made once.
    if (last?.structured !== structured) {
      last = { text: sentence(structured), structured };
      keepJson(structured);
    }
    return last;
  },
});

let last: { readonly text: string; readonly structured: ServerInfo } | undefined;

function sentence({ name, version, uptimeSeconds, connections, messages, cpu, memory }: ServerInfo): string {
  const { total, sse, websocket, mcp } = connections;
  return (
    `${name} ${version}, up ${duration(uptimeSeconds)}: ${total} ${total === 1 ? "reader" : "readers"} ` +
    `(${sse} SSE, ${websocket} WebSocket, ${mcp} MCP), ${messages.published} published, ${messages.delivered} delivered, ` +
    `${messages.kept} kept, CPU ${cpu.percent} %, memory ${Math.round(memory.rssBytes / 2 ** 20)} MiB`
  );
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
