import type { Socket } from "node:net";
import { connect, requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";

/** Connections that are being made at a time: more than a listening socket keeps waiting would have to try again. */
const CONNECTING = 256;
const TIMEOUT = 60_000;
const MARK = "\ndata";

/** Readers of a channel who all come back to other nodes. */
export class Returning implements Disposable {
  /** Bytes since they last connected. */
  received = 0;
  readonly #channel: string;
  readonly #count: number;
  #sockets: Socket[] = [];
  #messages = 0;
  #waiting: { readonly messages: number; resolve(): void } | undefined;

  constructor(channel: string, count: number) {
    this.#channel = channel;
    this.#count = count;
  }

  /** Connects all of them, each to one of the ports, after the message with that id; resolves when each has an answer. */
  async connect(ports: readonly number[], lastId?: string): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    [this.#sockets, this.received, this.#messages] = [[], 0, 0];
    const indices = Array.from({ length: this.#count }, (_, index) => index).values();
    const connectInTurn = async (): Promise<void> => {
      for (const index of indices) await this.#open(ports[index % ports.length] ?? 0, lastId);
    };
    await Promise.all(Array.from({ length: CONNECTING }, connectInTurn));
  }

  /** Resolves when so many messages came to each on average. */
  async until(messages: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = (): void => reject(new Error(`${this.#messages} of ${messages * this.#count} messages came`));
    const timer = setTimeout(late, TIMEOUT);
    this.#waiting = { messages: messages * this.#count, resolve };
    this.#check();
    await promise.finally(() => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(port: number, lastId: string | undefined): Promise<void> {
    const address: Address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port };
    const fields = ["Accept: text/event-stream", ...(lastId === undefined ? [] : [`Last-Event-ID: ${lastId}`])];
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      const socket = connect(address, (bytes, length) => {
        const got = bytes.subarray(0, length);
        this.received += length;
        if (!isAnswered) {
          isAnswered = true;
          if (got.toString("latin1", 9, 12) === "200") resolve();
          else reject(new Error(`a reader got ${got.toString("latin1", 0, 300)}`));
        }
        for (let at = got.indexOf(MARK); at !== -1; at = got.indexOf(MARK, at + 1)) this.#messages += 1;
        this.#check();
      });
      socket.on("error", reject);
      socket.write(requestHead("GET", `/events?channel=${this.#channel}`, address, fields));
      this.#sockets.push(socket);
    });
  }

  #check(): void {
    if (this.#waiting === undefined || this.#messages < this.#waiting.messages) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
