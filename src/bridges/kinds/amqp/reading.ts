import type { ChannelModel } from "amqplib";
import type { Socket } from "node:net";

/**
 * Stops and goes on reading from a broker, for all consumers of a connection. The protocol bounds what is delivered by its
 * number only, and amqplib passes on what it reads at once.
 */
export class Reading {
  readonly #socket: Socket;
  readonly #readers: (() => void)[] = [];
  #pauses = 0;

  constructor({ connection }: ChannelModel) {
    this.#socket = (connection as unknown as { readonly stream: Socket }).stream;
  }

  /** Reads nothing until the function that it returns is called. */
  pause(): () => void {
    if (this.#pauses++ === 0) {
      this.#readers.push(...(this.#socket.listeners("readable") as (() => void)[]));
      this.#socket.removeAllListeners("readable");
    }
    return () => {
      if (--this.#pauses > 0) return;
      for (const reader of this.#readers.splice(0)) {
        this.#socket.on("readable", reader);
        // For what has arrived meanwhile.
        reader();
      }
    };
  }
}
