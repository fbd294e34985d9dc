import type { Server } from "node:http";
import { Server as TlsServer } from "node:tls";
import type { Socket } from "node:net";
import { endGracefully } from "./sse/raw-socket.ts";

/** Milliseconds that a connection stays open after its last answer, so that the peer can take it. */
const LINGER = 2000;

const ignored = new WeakSet<Socket>();

/**
 * Stops reading from a connection on which `most` requests are unanswered. Requests that follow a waiting call are not
 * answered before it: `waitsOn` says how many calls wait on a connection.
 */
export function boundPipelines(server: Server, most: number, waitsOn: (socket: Socket) => number): void {
  const unanswered = new WeakMap<Socket, number>();
  // One function for all connections.
  const onPause = function onPause(this: Socket): void {
    if (waitsOn(this) > 0) ignoreRest(this);
  };
  const connected = server instanceof TlsServer ? "secureConnection" : "connection";
  server.on(connected, (socket: Socket) => socket.on("pause", onPause));
  server.on("request", ({ socket }, response) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count === most && !ignored.has(socket)) socket.pause();
    response.once("close", () => {
      const left = (unanswered.get(socket) ?? 1) - 1;
      unanswered.set(socket, left);
      if (left === most - 1) socket.resume();
      if (left === 0 && ignored.has(socket)) setTimeout(() => endGracefully(socket), LINGER).unref();
    });
  });
}

/**
 * Takes no more requests from a connection: what still comes is read and thrown away, so that its end is noticed. It is
 * closed once the requests before are answered.
 */
export function ignoreRest(socket: Socket): void {
  if (ignored.has(socket)) return;
  ignored.add(socket);
  // Not inside the parser, which may go on to requests after this one.
  setImmediate(() => {
    // With this set, Node's HTTP server would pause it again, as long as many answers wait to be sent.
    Object.assign(socket, { _paused: false });
    socket.resume();
    // After it is read again: the HTTP server stops seeing to that once its listener is gone.
    process.nextTick(() => socket.removeAllListeners("data").on("data", () => {}));
  });
}
