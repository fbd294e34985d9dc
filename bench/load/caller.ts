import type { Socket } from "node:net";
import { AnswerParser } from "./answer-parser.ts";
import { connect, failure } from "./connect.ts";
import type { Address } from "./plan.ts";

/** What a caller tells about its requests. */
export interface CallerEvents {
  /** The answer came; `text` is the start of a refusal's body. */
  answered(status: number, text: string): void;
  /** The connection ended, with or without a request in flight. */
  broken(reason: string): void;
}

/** One keep-alive connection with at most one request in flight; connects again when asked to send after its end. */
export class Caller {
  #socket: Socket | undefined;
  #parser = new AnswerParser();
  readonly #address: Address;
  readonly #events: CallerEvents;

  constructor(address: Address, events: CallerEvents) {
    this.#address = address;
    this.#events = events;
  }

  /** Resolves with the reason when the server cannot be reached. */
  open(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#connect()
      .once("connect", () => resolve(undefined))
      .once("error", (error) => resolve(failure(error)));
    return promise;
  }

  send(request: Buffer): void {
    (this.#socket ?? this.#connect()).write(request);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    let reason = "the server closed the connection";
    this.#parser = new AnswerParser();
    const socket = connect(this.#address, (bytes, length) => this.#read(bytes, length));
    socket.on("error", (error) => (reason = failure(error)));
    socket.once("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#events.broken(reason);
    });
    this.#socket = socket;
    return socket;
  }

  #read(bytes: Buffer, length: number): void {
    const parser = this.#parser;
    if (!this.#whole(parser, bytes, length)) return;
    if (parser.closes) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    this.#events.answered(parser.status, parser.text);
  }

  #whole(parser: AnswerParser, bytes: Buffer, length: number): boolean {
    try {
      return parser.feed(bytes, length);
    } catch (error) {
      this.#socket?.destroy(error instanceof Error ? error : undefined);
      return false;
    }
  }
}
