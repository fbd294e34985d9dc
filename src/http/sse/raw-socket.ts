import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { HubError } from "../../core/errors.ts";
import { sseRetry } from "../../protocol/sse.ts";
import { RETRY_AFTER } from "../problem-details.ts";
import { endSpan } from "../tracing.ts";
import { GZIP_HEADER, storedBlock } from "./gzip.ts";

/** What every answer that is a stream of events says (HTML, "Server-sent events"). */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** Bytes of a request's own body that are read and dropped: gateways add an empty one, and some clients a small one. */
const MAX_BODY = 64 * 1024;

/** Milliseconds a peer has to read the end of a stream and close. */
const LINGER = 2000;
const CR = 13;
const LF = 10;
const CRLF = Buffer.from("\r\n");
/** What a chunked body ends with. */
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const NOTHING: Uint8Array = new Uint8Array();

/** The streams that have their connection to themselves. */
const streams = new WeakMap<object, EventStream>();

/** Milliseconds after which a client should come back: random, so that they do not all come at once. */
export function retryDelay(seconds: number = RETRY_AFTER): number {
  return Math.round(seconds * 1000 * (1 + Math.random()));
}

/**
 * Whether this caller accepts nothing but a stream, as an `EventSource` does, which gives up
 * for good on every status but 200. Clients that take a refusal as such name another media type as well.
 */
export function takesOnlyEvents({ method, headers }: FastifyRequest): boolean {
  return method === "GET" && /^\s*text\/event-stream\s*(?:;[^,]*)?$/i.test(headers.accept ?? "");
}

/** Refuses for now: an `EventSource` learns from a stream that ends when to come back, and why. */
export function sendRetry(reply: FastifyReply, { message, retryAfter }: HubError): FastifyReply {
  return reply
    .status(200)
    .headers(STREAM_HEADERS)
    .send(sseRetry(retryDelay(retryAfter), message));
}

/** The socket of a request whose answer will take it over. Throws if earlier requests on it are not answered yet. */
export function freeSocket(request: FastifyRequest, reply: FastifyReply): Socket {
  const { socket } = request.raw;
  if (reply.raw.socket === socket && !socket.destroyed) return socket;
  throw new HubError(
    "INVALID_REQUEST",
    "A stream takes its connection over; wait for the answers before it, or open another",
  );
}

/** Reads the body of a request for a stream to its end and drops it; `refuse` is called if it is longer than it may be. */
export function dropBody(request: IncomingMessage, refuse: (sentence: string) => void): void {
  let length = 0;
  const drop = (bytes: Buffer): void => {
    length += bytes.length;
    if (length > MAX_BODY) refuse(`the body of this request is longer than ${MAX_BODY} bytes; closing`);
  };
  request.on("data", drop);
  request.once("end", () => request.off("data", drop));
}

/** Ends the stream that a connection carries with a comment; false if it carries none. */
export function endStream(socket: object, sentence: string): boolean {
  const stream = streams.get(socket);
  stream?.end(`: ${sentence}\n\n`);
  return stream !== undefined;
}

/**
 * A stream of events that has taken its connection over from the framework: from here on it carries this and nothing
 * else. What is written to the socket is the body as it is sent: in chunks, but for HTTP/1.0, which ends it with the
 * connection; and if it is gzip, as blocks of deflate that refer to nothing before them. Such a stream has no end mark,
 * because its checksum would be another one for each reader.
 */
export class EventStream {
  readonly socket: Socket;
  readonly isChunked: boolean;
  readonly isGzip: boolean;

  /**
   * `socket` is what `freeSocket` gave for this reply, and the reply is hijacked. Not to be called inside the parser,
   * which may go on to requests that came with this one: their answers would end up in the stream.
   */
  constructor(socket: Socket, request: FastifyRequest, reply: FastifyReply, opening = "", isGzip = false) {
    this.socket = socket;
    this.isChunked = request.raw.httpVersion !== "1.0";
    this.isGzip = isGzip;
    streams.set(socket, this);
    endSpan(request, 200);
    socket.write(Buffer.concat([Buffer.from(this.#head(reply)), this.#begin(opening)]));
    dropBody(request.raw, (sentence) => this.end(`: ${sentence}\n\n`));
    // Until its end the body is the parser's, which alone knows how it is framed.
    if (request.raw.complete) this.#take(reply.raw);
    else this.#takeAfter(request.raw, reply.raw);
  }

  write(text: string): boolean {
    return this.socket.write(this.framed(text));
  }

  /** Text as it goes to the socket. */
  framed(text: string): Uint8Array {
    if (text === "") return NOTHING;
    if (!this.isGzip) return Buffer.from(this.isChunked ? chunkText(text) : text);
    return this.#chunked([storedBlock(Buffer.from(text))]);
  }

  /** Ends it with a last event or comment. */
  end(text = ""): void {
    const last = this.framed(text);
    endGracefully(this.socket, this.isChunked ? Buffer.concat([last, LAST_CHUNK]) : last);
  }

  #begin(opening: string): Uint8Array {
    return this.isGzip ? this.#chunked([GZIP_HEADER, storedBlock(Buffer.from(opening))]) : this.framed(opening);
  }

  #chunked(parts: readonly Uint8Array[]): Uint8Array {
    return this.isChunked ? chunkBytes(parts) : Buffer.concat(parts);
  }

  #head(reply: FastifyReply): string {
    const headers: Record<string, unknown> = {
      ...reply.getHeaders(),
      ...STREAM_HEADERS,
      ...(this.isGzip ? { "content-encoding": "gzip" } : {}),
      ...(this.isChunked ? { "transfer-encoding": "chunked" } : {}),
      connection: "close",
      date: new Date().toUTCString(),
    };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((item) => `${name}: ${String(item)}\r\n`),
    );
    return `HTTP/1.1 200 OK\r\n${lines.join("")}\r\n`;
  }

  /** Not in the constructor: its other function lives as long as the request, and would keep the response. */
  #takeAfter(request: IncomingMessage, response: ServerResponse): void {
    request.once("end", () => setImmediate(() => this.#take(response)));
  }

  #take(response: ServerResponse): void {
    const { socket } = this;
    if (!socket.writable) return;
    response.detachSocket(socket);
    // One by one: `removeAllListeners` would leave the socket with a table that takes a kilobyte.
    for (const parse of socket.listeners("data")) socket.off("data", parse as () => void);
    socket.on("data", (bytes: Buffer) => {
      // Some clients send an empty line after what they send.
      if (bytes.some((byte) => byte !== CR && byte !== LF)) this.end(": nothing is read from a stream; closing\n\n");
    });
  }
}

/** Ends a socket after what was written last; destroys it if the peer has not closed within `LINGER` milliseconds. */
export function endGracefully(socket: Socket, last: string | Uint8Array = NOTHING): void {
  if (socket.destroyed) return;
  const late = setTimeout(() => socket.destroy(), LINGER).unref();
  socket.once("close", () => clearTimeout(late));
  if (socket.writable) socket.end(last);
  // A socket that is not read does not notice that the peer has closed.
  socket.resume();
}

/** Text, which must not be empty, as one chunk (RFC 9112 section 7.1). */
export function chunkText(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Several chunks as one that holds the same. */
export function mergeChunks(chunks: readonly Uint8Array[]): Uint8Array {
  return chunkBytes(chunks.map((bytes) => bytes.subarray(bytes.indexOf(LF) + 1, bytes.length - CRLF.length)));
}

/** Bytes, at least one, as one chunk. */
export function chunkBytes(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), ...parts, CRLF]);
}
