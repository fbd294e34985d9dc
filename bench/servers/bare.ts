import { createServer } from "node:http";
import { readJson } from "./read-json.ts";

// The least a JSON-RPC server can do: parse the request, answer with its id and some JSON.
createServer((request, response) => {
  if (request.method !== "POST") {
    response.end();
    return;
  }
  readJson(request, (body) => {
    const { id, params } = body as { id: unknown; params: { name: string } };
    const result = {
      content: [{ type: "text", text: `called ${params.name}` }],
      structuredContent: { name: params.name },
    };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
}).listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");
