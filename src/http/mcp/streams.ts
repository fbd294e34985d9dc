import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Backlog, Holder } from "../../core/backlog.ts";
import type { NotificationStream } from "../../mcp/index.ts";
import { HEARTBEAT, sseMessage } from "../../protocol/sse.ts";
import { socketDrained } from "../sse/sink.ts";
import { EventStream, STREAM_HEADERS } from "../sse/raw-socket.ts";
import { WriteGuard } from "../write-guard.ts";

/** An outlet whose stream can be ended with the result of the request. */
export interface EndedOutlet extends NotificationStream {
  end(result: string): void;
}

/** The answer to one request as a stream of events: the connection lives on after it. */
export class AnswerOutlet implements EndedOutlet, Holder {
  readonly #response: ServerResponse;
  readonly #heart: ReturnType<typeof setInterval>;
  readonly #guard: WriteGuard;
  readonly #backlog: Backlog;

  /** `heartbeat` in milliseconds; `most` bytes may wait for a client that does not read what it asked for. */
  constructor(reply: FastifyReply, heartbeat: number, most: number, backlog: Backlog) {
    this.#backlog = backlog;
    this.#response = reply.raw;
    this.#guard = new WriteGuard(most);
    reply.hijack();
    const headers = { ...reply.getHeaders(), ...STREAM_HEADERS } as Record<string, string>;
    this.#response.writeHead(200, headers);
    this.#heart = setInterval(() => this.keepAlive(), heartbeat).unref();
    this.#response.once("close", () => {
      clearInterval(this.#heart);
      backlog.forget(this);
    });
  }

  get pending(): number {
    return this.#response.writableLength;
  }

  get isLagging(): boolean {
    return this.#response.writableNeedDrain;
  }

  write(message: string): void {
    if (this.#response.destroyed) return;
    if (this.#guard.check(this.pending) !== "ok") return this.cut();
    const bytes = Buffer.from(sseMessage(message));
    if (!this.#response.write(bytes)) this.#backlog.add(this, bytes);
  }

  keepAlive(): void {
    if (!this.isLagging && !this.#response.destroyed) this.#response.write(HEARTBEAT);
  }

  drained(): Promise<void> {
    const { socket } = this.#response;
    return socket === null ? Promise.resolve() : socketDrained(socket);
  }

  cut(): void {
    this.#response.destroy();
  }

  end(result: string): void {
    clearInterval(this.#heart);
    if (!this.#response.destroyed) this.#response.end(sseMessage(result));
  }
}

/** A stream that has the connection to itself. */
export class StayingOutlet implements EndedOutlet {
  readonly #stream: EventStream;
  readonly #socket: Socket;
  /** What was written last: a subscription says the same again and again. */
  #message = "";
  #bytes: Uint8Array = new Uint8Array();

  /** `socket` is what `freeSocket` gave for this reply. */
  constructor(socket: Socket, request: FastifyRequest, reply: FastifyReply) {
    this.#socket = socket;
    reply.hijack();
    this.#stream = new EventStream(socket, request, reply);
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  get isLagging(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(message: string): void {
    if (message !== this.#message) {
      this.#message = message;
      this.#bytes = this.#stream.framed(sseMessage(message));
    }
    if (this.#socket.writable) this.#socket.write(this.#bytes);
  }

  keepAlive(): void {
    if (this.#socket.writable) this.#stream.write(HEARTBEAT);
  }

  drained(): Promise<void> {
    return socketDrained(this.#socket);
  }

  cut(): void {
    this.#socket.destroy();
  }

  end(result: string): void {
    this.#stream.end(sseMessage(result));
  }
}
