import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Backlog, Holder } from "../../core/backlog.ts";
import type { SessionConnection } from "../../mcp/legacy/session-stream.ts";
import type { NotificationStream } from "../../mcp/request-context.ts";
import type { HttpContext } from "../context.ts";
import { HEARTBEAT, sseMessage } from "../../protocol/sse.ts";
import { escapeLineBreaks } from "../../protocol/text.ts";
import { dropBody, EventStream, STREAM_HEADERS } from "../sse/raw-socket.ts";
import { socketDrained } from "../sse/sink.ts";
import { WriteGuard } from "../write-guard.ts";

/** What a stream may leave untaken. */
export interface StreamBounds {
  readonly backlog: Backlog;
  /** Bytes from turns of the event loop before this one. */
  readonly pending: number;
  /** Milliseconds between heartbeats. */
  readonly heartbeat: number;
}

/** Milliseconds after which a client whose stream ended comes back. */
const RETRY = 1000;

/** A stream of JSON-RPC messages to one client. */
export class McpStream implements NotificationStream, SessionConnection, Holder {
  readonly #out: ServerResponse | Socket;
  /** Set if the stream has its connection to itself. */
  readonly #dedicated: EventStream | undefined;
  readonly #bounds: StreamBounds | undefined;
  readonly #guard: WriteGuard | undefined;
  /** Whether answers do not count as left untaken: a client asked for them, at whatever length. */
  readonly #excusesAnswers: boolean;
  readonly #heart: ReturnType<typeof setInterval> | undefined;
  #isOver = false;
  /** Bytes of the answers that are excused. */
  #excused = 0;
  /** What waited at the last heartbeat, if that was more than may be. */
  #stalled = 0;
  /** What was written last: a subscription says the same again and again. */
  #message = "";
  #bytes: Uint8Array = new Uint8Array();

  private constructor(
    out: ServerResponse | Socket,
    dedicated: EventStream | undefined,
    bounds: StreamBounds | undefined,
    excusesAnswers = false,
  ) {
    this.#out = out;
    this.#dedicated = dedicated;
    this.#bounds = bounds;
    this.#excusesAnswers = excusesAnswers;
    // Its client may be gone already, and then it closes no more.
    this.#isOver = out.destroyed || out.closed;
    if (bounds !== undefined && !this.#isOver) {
      this.#guard = new WriteGuard(bounds.pending);
      this.#heart = setInterval(() => this.keepAlive(), bounds.heartbeat).unref();
    }
    out.once("close", () => {
      this.#isOver = true;
      clearInterval(this.#heart);
      bounds?.backlog.forget(this);
    });
  }

  /** The answer to one request as a stream: the connection lives on after it. */
  static answer(reply: FastifyReply, bounds: StreamBounds): McpStream {
    return new McpStream(begun(reply), undefined, bounds);
  }

  /**
   * The answer to one POST of a session, whose client gets all that it asked for as long as it takes some of it: it is
   * cut if it takes nothing between two heartbeats while more waits than may.
   */
  static sessionAnswer(reply: FastifyReply, bounds: StreamBounds): McpStream {
    const response = begun(reply);
    dropBody(reply.request.raw, (sentence) => response.end(`: ${sentence}\n\n`));
    // Only the socket sees that a part of a large write is taken. After this answer Node sets another time-out.
    response.setTimeout(bounds.heartbeat, () => {
      if (response.writableLength > bounds.pending) response.destroy();
    });
    return new McpStream(response, undefined, bounds, true);
  }

  /**
   * A stream that has the connection to itself; `socket` is what `freeSocket` gave for this reply, which is hijacked.
   * Without bounds, whoever writes to it minds `isLagging` and `pending`, and keeps it alive.
   */
  static dedicated(
    socket: Socket,
    request: FastifyRequest,
    reply: FastifyReply,
    bounds?: StreamBounds,
    opening = "",
  ): McpStream {
    return new McpStream(socket, new EventStream(socket, request, reply, opening), bounds);
  }

  get pending(): number {
    return this.#out.writableLength;
  }

  get isLagging(): boolean {
    return this.#out.writableNeedDrain;
  }

  write(message: string, id?: string, isAnswer = false): void {
    if (this.#isOver) return;
    if (this.#isFull()) return this.cut();
    const bytes = id === undefined ? this.#framed(message) : this.#frame(sessionEvent(message, id));
    if (isAnswer && this.#excusesAnswers) this.#excused += bytes.length;
    if (this.#out.write(bytes)) return;
    this.#bounds?.backlog.add(this, bytes);
    // What waits from this turn on is judged as such; nearly always nothing waits, and nothing is to be judged.
    this.#guard?.check(0);
  }

  prime(id: string): void {
    if (!this.#isOver) this.#out.write(this.#frame(`id: ${id}\nretry: ${RETRY}\ndata: \n\n`));
  }

  keepAlive(): void {
    if (this.#isOver) return;
    if (!this.isLagging) this.#out.write(this.#frame(HEARTBEAT));
    if (this.#bounds === undefined || this.#dedicated === undefined) return;
    const stalled = this.pending > this.#bounds.pending ? this.pending : 0;
    if (stalled > 0 && stalled === this.#stalled) return this.cut();
    this.#stalled = stalled;
  }

  drained(): Promise<void> {
    const socket = this.#dedicated?.socket ?? (this.#out as ServerResponse).socket;
    return socket === null ? Promise.resolve() : socketDrained(socket);
  }

  cut(): void {
    this.#isOver = true;
    this.#out.destroy();
  }

  /** Ends it after what was written and a last message, if there is one. */
  end(message?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#heart);
    const last = message === undefined ? "" : sseMessage(message);
    if (this.#dedicated === undefined) (this.#out as ServerResponse).end(last);
    else this.#dedicated.end(last);
  }

  /** Whether too much waits for more to be written. */
  #isFull(): boolean {
    if (this.pending === 0) return false;
    const found = this.#guard?.check(this.pending - this.#excused);
    return found === "slow" || (found === "flood" && !this.#excusesAnswers);
  }

  #framed(message: string): Uint8Array {
    if (message !== this.#message) {
      this.#bytes = this.#frame(sseMessage(message));
      this.#message = message;
    }
    return this.#bytes;
  }

  #frame(text: string): Uint8Array {
    return this.#dedicated?.framed(text) ?? Buffer.from(text);
  }
}

/** The head of an answer that is a stream. */
function begun(reply: FastifyReply): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, { ...reply.getHeaders(), ...STREAM_HEADERS } as Record<string, string>);
  return reply.raw;
}

/** A message of a session. Some clients of the time look for the name of the event, which others do without. */
function sessionEvent(message: string, id: string): string {
  return `event: message\nid: ${id}\ndata: ${escapeLineBreaks(message)}\n\n`;
}

/** What the streams of this server may leave untaken. */
export function streamBounds({ hub, limits, heartbeat }: HttpContext): StreamBounds {
  return { backlog: hub.backlog, pending: limits.pending, heartbeat: heartbeat * 1000 };
}
