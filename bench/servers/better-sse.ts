import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createChannel, createSession } from "better-sse";
import { readJson } from "./read-json.ts";

// Its README's example: a session per reader, registered with a channel that broadcasts.
const channels = new Map<string, ReturnType<typeof createChannel>>();
let id = 0;

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const channel = searchParams.get("channel") ?? "default";
  if (request.method === "POST" && pathname === "/publish")
    readJson(request, (data) => publish(channel, data, response));
  else if (pathname === "/events") void subscribe(channel, request, response);
  else response.writeHead(404).end();
}).listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");

function channelOf(name: string): ReturnType<typeof createChannel> {
  const channel = channels.get(name) ?? createChannel();
  channels.set(name, channel);
  return channel;
}

async function subscribe(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  channelOf(name).register(await createSession(request, response));
}

function publish(name: string, data: unknown, response: ServerResponse): void {
  id += 1;
  const channel = channelOf(name);
  channel.broadcast(data, "message", { eventId: String(id) });
  response.writeHead(201, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ id, channel: name, receivers: channel.sessionCount }));
}
