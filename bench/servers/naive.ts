import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { readJson } from "./read-json.ts";

// What most code does: a set of responses per channel, and one `res.write` per reader and message.
const channels = new Map<string, Set<ServerResponse>>();
let id = 0;

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const channel = searchParams.get("channel") ?? "default";
  if (request.method === "POST" && pathname === "/publish") {
    readJson(request, (data) => publish(channel, data, response));
  } else if (pathname === "/events") {
    subscribe(channel, response);
  } else {
    response.writeHead(404).end();
  }
});

server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");

function subscribe(channel: string, response: ServerResponse): void {
  const readers = channels.get(channel) ?? new Set();
  channels.set(channel, readers.add(response));
  response.on("close", () => readers.delete(response));
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write(": hello\n\n");
}

function publish(channel: string, data: unknown, response: ServerResponse): void {
  id += 1;
  const readers = channels.get(channel) ?? new Set();
  for (const reader of readers) reader.write(`id: ${id}\ndata: ${String(data)}\n\n`);
  response.writeHead(201, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ id, channel, receivers: readers.size }));
}
