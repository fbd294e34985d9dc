import type { Server } from "node:http";
import type { Socket } from "node:net";
import { lastWords } from "./last-words.ts";

/** Milliseconds in which a connection that is no longer read has its last answers. */
const LINGER = 2000;

const ignored = new WeakSet<Socket>();

/**
 * Does not read from a connection on which so many requests are unanswered. Calls that wait keep those after them from
 * being answered: `waitsOn` says how many do.
 */
export function boundPipelines(server: Server, most: number, waitsOn: (socket: Socket) => number): void {
  const unanswered = new WeakMap<Socket, number>();
  server.on("connection", (socket: Socket) => {
    socket.on("pause", () => {
      if (waitsOn(socket) > 0) ignoreRest(socket);
    });
  });
  server.on("request", ({ socket }, response) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count === most && !ignored.has(socket)) socket.pause();
    response.once("close", () => {
      const left = (unanswered.get(socket) ?? 1) - 1;
      unanswered.set(socket, left);
      if (left === most - 1) socket.resume();
      if (left === 0 && ignored.has(socket)) setTimeout(() => lastWords(socket), LINGER).unref();
    });
  });
}

/**
 * Takes no more requests from a connection: what still comes is read, so that its end is noticed, and thrown away. It is
 * closed when what it asked before is answered.
 */
export function ignoreRest(socket: Socket): void {
  if (ignored.has(socket)) return;
  ignored.add(socket);
  // Not inside the parser, which may go on to requests behind this one.
  setImmediate(() => {
    // With this set, Node's HTTP server would pause it again, as long as many answers wait to be sent.
    Object.assign(socket, { _paused: false });
    socket.resume();
    // Once it is read again: the HTTP server no longer sees to that when it has let go.
    process.nextTick(() => socket.removeAllListeners("data").on("data", () => {}));
  });
}
