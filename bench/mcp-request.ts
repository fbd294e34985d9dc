import { requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";

const VERSION = "2026-07-28";
const META = {
  "io.modelcontextprotocol/protocolVersion": VERSION,
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A request of the modern era as its clients send it. */
export function mcpRequest(address: Address, method: string, params: object, name?: string): Buffer {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: META } });
  const fields = [
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `MCP-Protocol-Version: ${VERSION}`,
    `Mcp-Method: ${method}`,
    ...(name === undefined ? [] : [`Mcp-Name: ${name}`]),
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(requestHead("POST", "/mcp", address, fields) + body);
}
