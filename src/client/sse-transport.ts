import { SseParser, SseTooLong, type SseEvent } from "../protocol/sse.ts";
import type { Door } from "./http-client.ts";
import { HubClientError } from "./errors.ts";
import type { Connection, ConnectionListener, Transport } from "./transport.ts";
import type { Gap, Message } from "./message.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A bare `EventSource` names only the first, and is answered with a stream where it would give up after a refusal. */
const ACCEPT = "text/event-stream, application/problem+json";

/** Characters of a message, with its fields, unless another limit is given. */
export const MOST: number = 32 * 1024 * 1024;

/** Server-Sent Events by `fetch`, which unlike `EventSource` sends headers and tells why it failed. */
export function eventsOf(door: Door, most: number = MOST): Transport {
  return (patterns, after, listener): Connection => {
    const closing = new AbortController();
    const read = readEvents(door, most, patterns, after, listener, closing.signal);
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
  most: number,
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
  }, most);
  // The parser takes the byte order mark away.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) throw new HubClientError("CONNECTION_LOST", "The server ended the connection", { final: false });
    listener.heard();
    try {
      parser.feed(decoder.decode(value, { stream: true }));
    } catch (error) {
      if (!(error instanceof SseTooLong)) throw error;
      const { id } = error;
      // Passed over: there is no other way on than to begin after it.
      if (id !== undefined) listener.event({ kind: "gap", gap: { reason: "too_large", after: id, resumed: id } });
      throw tooLarge(door, id);
    }
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
  const query = { format: "json", channel: patterns.join(","), last_event_id: after, ...door.reading };
  const response = await door.ask(door.url("events", query), { signal, headers: { accept: ACCEPT } });
  const type = response.headers.get("content-type") ?? "nothing";
  if (response.body !== null && type.startsWith("text/event-stream")) return response.body;
  void response.body?.cancel().catch(() => {});
  throw notAHub(door, `answers /events with ${type}`);
}

function parsed(door: Door, { event, data, id }: SseEvent): Parameters<ConnectionListener["event"]>[0] {
  try {
    if (event === "live") return { kind: "live", id };
    if (event === "gap") return { kind: "gap", gap: gapIn(JSON.parse(data) as Fields) };
    return { kind: "message", message: messageIn(door.parse(data) as Fields) };
  } catch (cause) {
    throw notAHub(door, "sends events that are no messages", cause);
  }
}

/** Throws if it is not a message. */
export function messageIn(fields: Fields): Message {
  const { id, channel, event, data, sender, time, via } = fields as Partial<Message>;
  const isPlaced = id === null || typeof id === "string";
  if (!isPlaced || typeof channel !== "string" || typeof event !== "string") throw new TypeError("no message");
  return { id, channel, event, data, sender, time, ...(via !== undefined && { via }) } as Message;
}

/** Throws if it is not a gap. */
export function gapIn(fields: Fields): Gap {
  const { reason, after, resumed } = fields as Partial<Gap>;
  if (![reason, after, resumed].every((text) => typeof text === "string")) throw new TypeError("no gap");
  return { reason, after, resumed } as Gap;
}

/** Final without an id, as there is then no place after it to go on from, and until a hub has answered there. */
export function tooLarge(door: Door, id: string | undefined): HubClientError {
  const what = id === undefined ? "something" : `the message ${id}, which is passed over:`;
  return new HubClientError("TOO_LARGE", `${door.base} sends ${what} larger than messageMost allows`, {
    final: id === undefined,
  });
}

/** Final only until a hub has answered there: later it is a proxy's page, or a network that wants a login. */
export function notAHub(door: Door, what: string, cause?: unknown): HubClientError {
  return new HubClientError("NOT_A_HUB", `${door.base} ${what}; it is no hub, or something stands between`, {
    final: true,
    cause,
  });
}
