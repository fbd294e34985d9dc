import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Outlet } from "../mcp/index.ts";
import { sseEvent } from "../wire/sse.ts";
import { lastWords } from "./last-words.ts";
import { socketDrained } from "./sse-sink.ts";
import { freeSocket, STREAM_HEADERS, streamHead, takeSocket } from "./stream.ts";

const COMMENT = ":\n\n";

/** An outlet whose stream can be ended with the result of the request. */
export interface EndedOutlet extends Outlet {
  end(result: string): void;
}

/** The answer to one request as a stream of events: the connection lives on after it. */
export class AnswerOutlet implements EndedOutlet {
  readonly #response: ServerResponse;
  readonly #heart: ReturnType<typeof setInterval>;

  /** `heartbeat` in milliseconds. */
  constructor(reply: FastifyReply, heartbeat: number) {
    this.#response = reply.raw;
    reply.hijack();
    const headers = { ...reply.getHeaders(), ...STREAM_HEADERS } as Record<string, string>;
    this.#response.writeHead(200, headers);
    this.#heart = setInterval(() => this.keepAlive(), heartbeat).unref();
    this.#response.once("close", () => clearInterval(this.#heart));
  }

  get pending(): number {
    return this.#response.writableLength;
  }

  get isLagging(): boolean {
    return this.#response.writableNeedDrain;
  }

  write(message: string): void {
    if (!this.#response.destroyed) this.#response.write(sseEvent({ event: "message", data: message }));
  }

  keepAlive(): void {
    if (!this.isLagging && !this.#response.destroyed) this.#response.write(COMMENT);
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
    if (!this.#response.destroyed) this.#response.end(sseEvent({ event: "message", data: result }));
  }
}

/** A stream that has the connection to itself, written to without chunks until it ends. */
export class StayingOutlet implements EndedOutlet {
  readonly #socket: Socket;

  constructor(request: FastifyRequest, reply: FastifyReply) {
    this.#socket = freeSocket(request, reply);
    reply.hijack();
    const head = streamHead(reply);
    takeSocket(this.#socket, reply);
    this.#socket.write(head);
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  get isLagging(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(message: string): void {
    if (this.#socket.writable) this.#socket.write(sseEvent({ event: "message", data: message }));
  }

  keepAlive(): void {
    if (this.#socket.writable) this.#socket.write(COMMENT);
  }

  drained(): Promise<void> {
    return socketDrained(this.#socket);
  }

  cut(): void {
    this.#socket.destroy();
  }

  end(result: string): void {
    lastWords(this.#socket, sseEvent({ event: "message", data: result }));
  }
}
