import type { Socket } from "node:net";
import type { Format } from "../core/message.ts";
import type { CloseReason, Signal, Sink } from "../core/sink.ts";
import { sseSignal } from "../wire/sse.ts";
import { lastWords } from "./last-words.ts";

/** One SSE reader: events written to its socket as they are, without chunks, until the connection ends. */
export class SseSink implements Sink {
  readonly format: Format;
  readonly #socket: Socket;

  constructor(socket: Socket, format: Format) {
    this.#socket = socket;
    this.format = format;
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  signal(signal: Signal): void {
    this.#socket.write(sseSignal(signal));
  }

  drained(): Promise<void> {
    return socketDrained(this.#socket);
  }

  close(reason: CloseReason): void {
    // What a slow reader has not taken will not be taken: it comes back with its cursor.
    if (reason === "slow") this.#socket.destroy();
    else lastWords(this.#socket);
  }
}

/** Resolves once a socket has taken what it was given, or is gone. */
export function socketDrained(socket: Socket): Promise<void> {
  if (!socket.writableNeedDrain || socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
