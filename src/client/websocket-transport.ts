import { CLOSE_CODES } from "../protocol/ws-frames.ts";
import type { Door } from "./http-client.ts";
import { HubClientError } from "./errors.ts";
import { gapIn, messageIn, MOST, notAHub, streamOf, tooLarge } from "./sse-transport.ts";
import type { Connection, ConnectionListener, Feed, Transport } from "./transport.ts";

/** Any frame of either side. */
type Frame = Readonly<Record<string, unknown>>;

interface Asked {
  readonly answered: (frame: Frame) => void;
  readonly failed: (error: HubClientError) => void;
}

/** One WebSocket: subscribes by frames, so what it reads changes without a new connection. */
export function webSocketOf(door: Door, most: number = MOST): Transport {
  return (patterns, after, listener) => {
    try {
      return new Socket(door, most, patterns, after, listener);
    } catch (cause) {
      // A page may be forbidden to open it at all.
      return { ended: Promise.resolve(lost("UNREACHABLE", String(cause), cause)), close: () => {} };
    }
  };
}

class Socket implements Connection {
  readonly ended: Promise<HubClientError | undefined>;
  readonly #door: Door;
  readonly #most: number;
  readonly #listener: ConnectionListener;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, Asked>();
  readonly #after: string | undefined;
  #patterns: readonly string[];
  #number = 0;
  #welcomed = false;
  #opened = false;
  readonly #closing = new AbortController();
  #end: (error: HubClientError | undefined) => void = () => {};

  constructor(
    door: Door,
    most: number,
    patterns: readonly string[],
    after: string | undefined,
    listener: ConnectionListener,
  ) {
    this.#door = door;
    this.#most = most;
    this.#patterns = patterns;
    this.#listener = listener;
    this.ended = new Promise((resolve) => {
      this.#end = (error) => {
        if (this.#closing.signal.aborted) return;
        resolve(error);
        this.#leave();
      };
    });
    this.#socket = door.webSocket(door.url("ws", { channel: "", ...door.reading }).href.replace(/^http/, "ws"));
    this.#after = after;
    this.#socket.addEventListener("open", () => (this.#opened = true));
    this.#socket.addEventListener("message", ({ data }: { data: unknown }) => this.#received(data));
    this.#socket.addEventListener("close", ({ code }: { code: number }) => void this.#closed(code));
    // It is closed after every error.
    this.#socket.addEventListener("error", () => {});
  }

  readonly change = (patterns: readonly string[], after: string): void => {
    // Before the welcome nothing has been read, and what is wanted is not known to the server.
    if (!this.#welcomed) return this.close();
    const dropped = this.#patterns.filter((pattern) => !patterns.includes(pattern));
    this.#patterns = patterns;
    this.#subscribe(patterns, after);
    if (dropped.length > 0) this.#send({ type: "unsubscribe", channels: dropped });
  };

  readonly ask: NonNullable<Feed["ask"]> = (frame, signal) => {
    if (!this.#welcomed) return undefined;
    return new Promise((answered, failed) => {
      const id = this.#request(frame, { answered, failed });
      signal.addEventListener("abort", () => this.#asked.delete(id), { once: true });
    });
  };

  close(): void {
    this.#end(undefined);
  }

  /** All of them are asked for again from there: what comes twice is known by its id. */
  #subscribe(channels: readonly string[], after: string): void {
    const answered = (): void => this.#listener.event({ kind: "cover", patterns: channels, from: after });
    const failed = (error: HubClientError): void => this.#end(error);
    this.#request({ type: "subscribe", channels, last_event_id: after }, { answered, failed });
  }

  /** The answer is taken in its place among the messages, so by a callback and no promise. */
  #request(frame: Frame, asked: Asked): number {
    const id = ++this.#number;
    this.#asked.set(id, asked);
    this.#send({ ...frame, id });
    return id;
  }

  #send(frame: Frame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  #received(data: unknown): void {
    this.#listener.heard();
    if (typeof data === "string" && data.length > this.#most) return this.#tooLarge(data);
    let frame: Frame;
    try {
      frame = JSON.parse(data as string) as Frame;
      this.#take(frame, data as string);
    } catch (cause) {
      this.#end(notAHub(this.#door, "sends frames that are not the hub's", cause));
    }
  }

  /** A message that has a place is passed over; what else is too large has none. */
  #tooLarge(text: string): void {
    const id = /^\{"type":"message","id":"([^"]{1,128})"/.exec(text)?.[1];
    if (id === undefined) this.#end(tooLarge(this.#door, undefined));
    else this.#listener.event({ kind: "gap", gap: { reason: "too_large", after: id, resumed: id } });
  }

  #take(frame: Frame, text: string): void {
    const { type, id } = frame;
    if (!this.#welcomed && type !== "welcome") throw new TypeError("no welcome");
    if (type === "welcome") {
      this.#welcomed = true;
      this.#listener.told({ heartbeat: Number(frame["heartbeatSeconds"]) * 1000 });
      // From now on means from here on: what is published before the server reads the frame is not to be missed.
      this.#subscribe(this.#patterns, this.#after ?? (id as string));
    } else if (type === "message") {
      this.#listener.event({ kind: "message", message: messageIn(this.#door.parse(text) as Frame) });
    } else if (type === "gap") this.#listener.event({ kind: "gap", gap: gapIn(frame) });
    else if (type === "live") this.#listener.event({ kind: "live", id: id as string });
    else if (type === "beat") this.#listener.event({ kind: "at", id: id as string });
    else {
      const asked = this.#asked.get(id as number);
      this.#asked.delete(id as number);
      if (type === "error") asked?.failed(errorIn(frame));
      else asked?.answered(frame);
    }
  }

  async #closed(code: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (!this.#opened) this.#end(await this.#whyRefused());
    else if (code === CLOSE_CODES.shutdown) this.#end(lost("SHUTTING_DOWN", "The server stops"));
    else if (code === CLOSE_CODES.unavailable) this.#end(lost("LOG_UNAVAILABLE", "The server cannot read its log"));
    else this.#end(lost("CONNECTION_LOST", `The connection ended (${code})`));
  }

  /** A handshake that failed tells nothing. A stream is refused for the same reasons, and tells them. */
  async #whyRefused(): Promise<HubClientError> {
    try {
      const body = await streamOf(this.#door, this.#patterns, undefined, this.#closing.signal);
      void body.cancel().catch(() => {});
      return lost("UNAVAILABLE", "The hub answers, but no WebSocket to it opens; does a proxy in between allow them?");
    } catch (error) {
      return error instanceof HubClientError ? error : lost("UNREACHABLE", "No hub answers", error);
    }
  }

  #leave(): void {
    this.#closing.abort();
    this.#socket.close();
    const error = lost("CONNECTION_LOST", "The connection ended before the answer; it may or may not have been done");
    for (const { failed } of this.#asked.values()) failed(error);
    this.#asked.clear();
  }
}

function lost(code: string, sentence: string, cause?: unknown): HubClientError {
  return new HubClientError(code, sentence, { final: false, cause });
}

function errorIn({ code, message, retry, retryAfter }: Frame): HubClientError {
  const wait = typeof retryAfter === "number" ? retryAfter * 1000 : undefined;
  return new HubClientError(String(code), String(message), { final: retry !== true, retryAfter: wait });
}
