import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

// The least an MCP server on the official SDK can do: one tool, its handler as the documentation mounts it.
const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "minimal", version: "1.0.0" });
  server.registerTool("get_server_info", { description: "Says its name", inputSchema: z.object({}) }, () => ({
    content: [{ type: "text", text: "called get_server_info" }],
    structuredContent: { name: "get_server_info" },
  }));
  return server;
});
const answer = toNodeHandler(handler);
createServer((request, response) => {
  if (request.url === "/mcp") void answer(request, response);
  else response.end();
}).listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");
