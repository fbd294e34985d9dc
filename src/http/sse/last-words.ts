import type { Socket } from "node:net";

/** Milliseconds a peer has to take what it was told and go. */
const LINGER = 2000;

/** Ends a connection: at once where the peer does its part, and even where it does not. */
export function lastWords(socket: Socket, text = ""): void {
  if (socket.destroyed) return;
  const late = setTimeout(() => socket.destroy(), LINGER).unref();
  socket.once("close", () => clearTimeout(late));
  if (socket.writable) socket.end(text);
  // A socket that nobody reads from does not notice its end.
  socket.resume();
}
