import { CLOSE_CODES } from "../protocol/ws-frames.ts";
import { HubClientError, notAHub, passingError } from "./errors.ts";
import { discard, textOf, type HttpClient } from "./http-client.ts";
import {
  gapIn,
  MAX_MESSAGE,
  messageIn,
  tooLarge,
  tooLargeGap,
  type Frame,
  type Stream,
  type StreamListener,
  type Transport,
} from "./transport.ts";

/** Bytes of the answer that has a ticket. */
const MAX_TICKET = 4096;

/** What is done with the answer to a frame. */
interface Pending {
  readonly answered: (frame: Frame) => void;
  readonly failed: (error: HubClientError) => void;
}

/** One WebSocket: subscribes by frames, so what it reads changes without a new connection. */
export function webSocketTransport(http: HttpClient, most: number = MAX_MESSAGE): Transport {
  return (patterns, after, listener) => new WebSocketStream(http, most, patterns, after, listener);
}

class WebSocketStream implements Stream {
  readonly ended: Promise<HubClientError | undefined>;
  readonly #http: HttpClient;
  readonly #most: number;
  readonly #listener: StreamListener;
  /** Undefined until there is a ticket for it. */
  #socket: WebSocket | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #after: string | undefined;
  #patterns: readonly string[];
  #number = 0;
  #welcomed = false;
  #opened = false;
  readonly #closing = new AbortController();
  #end: (error: HubClientError | undefined) => void = () => {};

  constructor(
    http: HttpClient,
    most: number,
    patterns: readonly string[],
    after: string | undefined,
    listener: StreamListener,
  ) {
    this.#http = http;
    this.#most = most;
    this.#patterns = patterns;
    this.#listener = listener;
    this.#after = after;
    this.ended = new Promise((resolve) => {
      this.#end = (error) => {
        if (this.#closing.signal.aborted) return;
        resolve(error);
        this.#leave();
      };
    });
    if (http.token === undefined) this.#open();
    else void this.#openWithTicket();
  }

  #open(ticket?: string): void {
    const http = this.#http;
    let socket: WebSocket;
    try {
      socket = http.webSocket(http.url("ws", { channel: "", ...http.reading, ticket }).href.replace(/^http/, "ws"));
    } catch (cause) {
      // A page may be forbidden to open it at all.
      return this.#end(passingError("UNREACHABLE", String(cause), cause));
    }
    this.#socket = socket;
    socket.addEventListener("open", () => (this.#opened = true));
    socket.addEventListener("message", ({ data }: { data: unknown }) => this.#received(data));
    socket.addEventListener("close", ({ code }: { code: number }) => void this.#closed(code));
    // It is closed after every error.
    socket.addEventListener("error", () => {});
  }

  /** Browsers send no headers with the handshake. */
  async #openWithTicket(): Promise<void> {
    const { signal } = this.#closing;
    try {
      const response = await this.#http.request(this.#http.url("tickets"), { method: "POST", signal });
      const { ticket } = JSON.parse((await textOf(response, MAX_TICKET)) ?? "") as { ticket?: unknown };
      if (!signal.aborted) this.#open(String(ticket));
    } catch (error) {
      this.#end(error instanceof HubClientError ? error : passingError("CONNECTION_LOST", "No ticket came", error));
    }
  }

  change(patterns: readonly string[], after: string): void {
    // Before the welcome nothing has been read, and the server does not know what is wanted.
    if (!this.#welcomed) return this.close();
    const dropped = this.#patterns.filter((pattern) => !patterns.includes(pattern));
    this.#patterns = patterns;
    this.#subscribe(patterns, after);
    if (dropped.length > 0) this.#send({ type: "unsubscribe", channels: dropped });
  }

  request(frame: Frame, signal: AbortSignal): Promise<Frame> | undefined {
    if (!this.#welcomed) return undefined;
    return new Promise((answered, failed) => {
      const id = this.#ask(frame, { answered, failed });
      signal.addEventListener("abort", () => this.#pending.delete(id), { once: true });
    });
  }

  close(): void {
    this.#end(undefined);
  }

  /** All of them are asked for again from there: what comes twice is known by its id. */
  #subscribe(channels: readonly string[], after: string): void {
    this.#ask(
      { type: "subscribe", channels, last_event_id: after },
      {
        answered: () => this.#listener.event({ kind: "cover", patterns: channels, from: after }),
        failed: this.#end,
      },
    );
  }

  /** The answer is taken in its place among the messages, so by a callback and not a promise. */
  #ask(frame: Frame, pending: Pending): number {
    const id = ++this.#number;
    this.#pending.set(id, pending);
    this.#send({ ...frame, id });
    return id;
  }

  #send(frame: Frame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  /** Sends a newer token, if there is one. If that is refused, the server ends the connection in time. */
  async #renew(): Promise<void> {
    const token = await this.#http.token?.();
    if (token && !this.#closing.signal.aborted) this.#send({ type: "auth", token });
  }

  #received(data: unknown): void {
    this.#listener.active();
    if (typeof data === "string" && data.length > this.#most) return this.#tooLarge(data);
    try {
      this.#take(JSON.parse(data as string) as Frame, data as string);
    } catch (cause) {
      this.#end(notAHub(this.#http.base, "sends frames that are not the hub's", cause));
    }
  }

  /** A message that has a place is passed over; what else is too large has none. */
  #tooLarge(text: string): void {
    const id = /^\{"type":"message","id":"([^"]{1,128})"/.exec(text)?.[1];
    if (id === undefined) this.#end(tooLarge(this.#http.base));
    else this.#listener.event(tooLargeGap(id));
  }

  #take(frame: Frame, text: string): void {
    const { type, id } = frame;
    const listener = this.#listener;
    if (!this.#welcomed && type === "error") return this.#end(errorIn(frame));
    if (!this.#welcomed && type !== "welcome") throw new TypeError("no welcome");
    if (type === "expiring") void this.#renew().catch(() => {});
    else if (type === "welcome") {
      this.#welcomed = true;
      listener.advised({ heartbeat: Number(frame["heartbeatSeconds"]) * 1000 });
      // From now on means from here on: what is published before the server reads the frame is not to be missed.
      this.#subscribe(this.#patterns, this.#after ?? (id as string));
    } else if (type === "message") {
      listener.event({ kind: "message", message: messageIn(this.#http.parse(text) as Frame) });
    } else if (type === "gap") listener.event({ kind: "gap", gap: gapIn(frame) });
    else if (type === "live") listener.event({ kind: "live", id: id as string });
    else if (type === "beat") listener.event({ kind: "reached", id: id as string });
    else {
      const pending = this.#pending.get(id as number);
      this.#pending.delete(id as number);
      if (type === "error") pending?.failed(errorIn(frame));
      else pending?.answered(frame);
    }
  }

  async #closed(code: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (!this.#opened) this.#end(await this.#whyRefused());
    else if (code === CLOSE_CODES.shutdown) this.#end(passingError("SHUTTING_DOWN", "The server stops"));
    else if (code === CLOSE_CODES.unavailable)
      this.#end(passingError("LOG_UNAVAILABLE", "The server cannot read its log"));
    else this.#end(passingError("CONNECTION_LOST", `The connection ended (${code})`));
  }

  /** A handshake that failed does not say why. A stream is refused for the same reasons, and says them. */
  async #whyRefused(): Promise<HubClientError> {
    try {
      discard(await this.#http.events(this.#patterns, undefined, this.#closing.signal));
      return passingError(
        "UNAVAILABLE",
        "The hub answers, but no WebSocket to it opens; does a proxy in between allow them?",
      );
    } catch (error) {
      return error instanceof HubClientError ? error : passingError("UNREACHABLE", "No hub answers", error);
    }
  }

  #leave(): void {
    this.#closing.abort();
    this.#socket?.close();
    const error = passingError(
      "CONNECTION_LOST",
      "The connection ended before the answer; it may or may not have been done",
    );
    for (const { failed } of this.#pending.values()) failed(error);
    this.#pending.clear();
  }
}

function errorIn({ code, message, retry, retryAfter }: Frame): HubClientError {
  const wait = typeof retryAfter === "number" ? retryAfter * 1000 : undefined;
  return new HubClientError(String(code), String(message), { final: retry !== true, retryAfter: wait, fromHub: true });
}
