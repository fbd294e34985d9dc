import type { Socket } from "node:net";
import type { Format } from "../../core/message.ts";
import type { Signal } from "../../protocol/signal.ts";
import type { CloseReason, Sink } from "../../core/sink.ts";
import { sseSignal } from "../../protocol/sse.ts";
import type { EventStream } from "./raw-socket.ts";

/** One SSE reader: events come framed as its stream is, and go to the socket as they are. */
export class SseSink implements Sink {
  readonly format: Format;
  readonly #stream: EventStream;
  readonly #idEvents: boolean;
  readonly #socket: Socket;

  /** Without `idEvents`, no event that has an id and no data is sent. */
  constructor(stream: EventStream, format: Format, idEvents: boolean) {
    this.#stream = stream;
    this.#idEvents = idEvents;
    this.#socket = stream.socket;
    this.format = format;
  }

  get pending(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  signal(signal: Signal): void {
    this.#stream.write(
      sseSignal(signal.kind === "beat" ? { ...signal, moves: signal.moves && this.#idEvents } : signal),
    );
  }

  drained(): Promise<void> {
    return socketDrained(this.#socket);
  }

  close(reason: CloseReason): void {
    // What a slow reader has not taken will not be taken: it comes back with its cursor.
    if (reason === "slow") this.#socket.destroy();
    else {
      if (reason === "expired" || reason === "revoked") this.comment(`credential ${reason}`);
      if (reason === "ended") this.comment("ended by an admin");
      this.#stream.end();
    }
  }

  /** Says something that no program reads. */
  comment(text: string): void {
    this.#stream.write(`: ${text}\n\n`);
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
