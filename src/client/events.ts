import { SseParser, type SseEvent } from "../wire/sse.ts";
import type { Door } from "./door.ts";
import { HubClientError } from "./error.ts";
import type { Connection, ConnectionListener, Transport } from "./feed.ts";
import type { Gap, Message } from "./message.ts";

/** Server-Sent Events by `fetch`, which unlike `EventSource` sends headers and tells why it failed. */
export function eventsOf(door: Door): Transport {
  return (patterns, after, listener): Connection => {
    const closing = new AbortController();
    const read = readEvents(door, patterns, after, listener, closing.signal);
    const ended = read.then(
      () => undefined,
      (error: unknown) => {
        if (closing.signal.aborted) return undefined;
        if (error instanceof HubClientError) return error;
        return new HubClientError("CONNECTION_LOST", "The connection broke", { final: false, cause: error });
      },
    );
    return { ended, close: () => closing.abort() };
  };
}

async function readEvents(
  door: Door,
  patterns: readonly string[],
  after: string | undefined,
  listener: ConnectionListener,
  signal: AbortSignal,
): Promise<never> {
  const body = await streamOf(door, patterns, after, signal);
  listener.heard();
  listener.event({ kind: "cover", patterns, from: after });
  let live = false;
  let at = "";
  const parser = new SseParser((event) => {
    if (signal.aborted) return;
    at = event.id;
    if (event.event === "live") live = true;
    listener.event(parsed(door, event));
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) throw new HubClientError("CONNECTION_LOST", "The server ended the connection", { final: false });
    listener.heard();
    parser.feed(decoder.decode(value, { stream: true }));
    if (signal.aborted) continue;
    if (parser.retry !== undefined) listener.told({ retry: parser.retry });
    const { lastId } = parser;
    // A reader from now on is told where it begins, and is live from then on; the first messages may come with that.
    const begins: boolean = after === undefined && !live;
    if (lastId === "" || (lastId === at && !begins)) continue;
    at = lastId;
    live ||= begins;
    listener.event({ kind: begins ? "live" : "at", id: at });
  }
}

/** The body of a stream. Rejects with `HubClientError`, or with the reason of the signal. */
export async function streamOf(
  door: Door,
  patterns: readonly string[],
  after: string | undefined,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  // As a parameter: with its header, a page of another origin would have to ask beforehand each time.
  const query = { format: "json", channel: patterns.join(","), last_event_id: after };
  const response = await door.ask(door.url("events", query), { signal, headers: { accept: "text/event-stream" } });
  const type = response.headers.get("content-type") ?? "nothing";
  if (response.body !== null && type.startsWith("text/event-stream")) return response.body;
  void response.body?.cancel().catch(() => {});
  throw notAHub(door, `answers /events with ${type}`);
}

function parsed(door: Door, { event, data, id }: SseEvent): Parameters<ConnectionListener["event"]>[0] {
  try {
    if (event === "live") return { kind: "live", id };
    if (event === "gap") return { kind: "gap", gap: JSON.parse(data) as Gap };
    return { kind: "message", message: messageIn(JSON.parse(data)) };
  } catch (cause) {
    throw notAHub(door, "sends events that are no messages", cause);
  }
}

/** Throws where it is no message. */
export function messageIn({ id, channel, event, data, sender, time, via }: Message): Message {
  if (typeof channel !== "string" || typeof event !== "string") throw new TypeError("no message");
  return { id, channel, event, data, sender, time, ...(via !== undefined && { via }) };
}

/** Final only until a hub has answered there: later it is a proxy's page, or a network that wants a login. */
export function notAHub(door: Door, what: string, cause?: unknown): HubClientError {
  return new HubClientError("NOT_A_HUB", `${door.base} ${what}; it is no hub, or something stands between`, {
    final: true,
    cause,
  });
}
