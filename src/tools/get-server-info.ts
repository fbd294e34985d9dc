import { z } from "zod";
import { each, list, NUMBER, object, TEXT, TRUTH, WHOLE } from "./json-schema.ts";
import { keepJson } from "../protocol/jsonrpc.ts";
import type { ServerInfo } from "../protocol/server-info.ts";
import { tool, type Tool } from "./tool.ts";

const node = object(
  {
    id: TEXT,
    version: TEXT,
    started: TEXT,
    connections: WHOLE,
    publishedPerSecond: NUMBER,
    deliveredPerSecond: NUMBER,
    draining: TRUTH,
  },
  { address: TEXT },
);

export const getServerInfo: Tool = tool({
  name: "get_server_info",
  title: "Server info",
  description: "Get information about the SSE MCP server",
  input: z.strictObject({}),
  output: object({
    name: TEXT,
    version: TEXT,
    node: TEXT,
    nodes: list(node),
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
  async run(_, { info, principal }) {
    const known = info();
    // The info is the same object for a second, so its answers are made once.
    if (last?.of !== known) last = { of: known, toAdmins: answer(known), toOthers: answer(withoutAddresses(known)) };
    return principal.admin ? last.toAdmins : last.toOthers;
  },
});

interface Answer {
  readonly text: string;
  readonly structured: ServerInfo;
}

let last: { readonly of: ServerInfo; readonly toAdmins: Answer; readonly toOthers: Answer } | undefined;

function answer(structured: ServerInfo): Answer {
  keepJson(structured);
  return { text: sentence(structured), structured };
}

/** The addresses of nodes are names of machines, which are for those who run them. */
function withoutAddresses(info: ServerInfo): ServerInfo {
  return { ...info, nodes: info.nodes.map((status) => ({ ...status, address: undefined })) };
}

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
