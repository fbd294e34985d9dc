import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { HubError } from "../core/errors.ts";
import { lastWords } from "./last-words.ts";

/** What every answer that is a stream of events says (HTML, "Server-sent events"). */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** The connection of a request whose answer will take it over. Throws where others are still to be answered on it. */
export function freeSocket(request: FastifyRequest, reply: FastifyReply): Socket {
  const { socket } = request.raw;
  if (reply.raw.socket === socket && !socket.destroyed) return socket;
  throw new HubError(
    "INVALID_REQUEST",
    "A stream takes its connection over; wait for the answers before it, or open another",
  );
}

/** Takes a connection over from the framework: from here on it carries one stream and nothing else. */
export function takeSocket(socket: Socket, reply: FastifyReply): void {
  reply.raw.detachSocket(socket);
  socket.removeAllListeners("data");
  socket.once("data", () => lastWords(socket, ": nothing is read from a stream; closing\n\n"));
}

/** No length and no chunks: the stream ends with the connection (RFC 9112 section 6.3, point 8). */
export function streamHead(reply: FastifyReply): string {
  const headers: Record<string, unknown> = {
    ...reply.getHeaders(),
    ...STREAM_HEADERS,
    connection: "close",
    date: new Date().toUTCString(),
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((item) => `${name}: ${String(item)}\r\n`),
  );
  return `HTTP/1.1 200 OK\r\n${lines.join("")}\r\n`;
}
