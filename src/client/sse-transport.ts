import { SseParser, SseTooLong, type SseEvent } from "../protocol/sse.ts";
import { HubClientError, notAHub, passingError } from "./errors.ts";
import type { HttpClient } from "./http-client.ts";
import {
  gapIn,
  MAX_MESSAGE,
  messageIn,
  tooLarge,
  tooLargeGap,
  type Frame,
  type Stream,
  type StreamEvent,
  type StreamListener,
  type Transport,
} from "./transport.ts";

/** Server-Sent Events by `fetch`, which unlike `EventSource` sends headers and tells why it failed. */
export function sseTransport(http: HttpClient, most: number = MAX_MESSAGE): Transport {
  return (patterns, after, listener): Stream => {
    const closing = new AbortController();
    const { signal } = closing;
    const ended = http.events(patterns, after, signal).then((body) => {
      listener.active();
      listener.event({ kind: "cover", patterns, from: after });
      return read(body, after === undefined, { http, most, listener, signal });
    });
    return {
      ended: ended.catch((error: unknown) => {
        if (signal.aborted) return undefined;
        return error instanceof HubClientError ? error : passingError("CONNECTION_LOST", "The connection broke", error);
      }),
      close: () => closing.abort(),
    };
  };
}

interface Reading {
  readonly http: HttpClient;
  readonly most: number;
  readonly listener: StreamListener;
  readonly signal: AbortSignal;
}

async function read(
  body: ReadableStream<Uint8Array>,
  fromNow: boolean,
  { http, most, listener, signal }: Reading,
): Promise<never> {
  let live = false;
  let at = "";
  const parser = new SseParser((event) => {
    if (signal.aborted) return;
    at = event.id;
    live ||= event.event === "live";
    listener.event(eventIn(http, event));
  }, most);
  // The parser takes the byte order mark away.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const reader = body.getReader();
  // A fetch of the caller's may look at no signal.
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) throw passingError("CONNECTION_LOST", "The server ended the connection");
    listener.active();
    try {
      parser.feed(decoder.decode(value, { stream: true }));
    } catch (error) {
      if (!(error instanceof SseTooLong)) throw error;
      if (error.id !== undefined) listener.event(tooLargeGap(error.id));
      throw tooLarge(http.base, error.id);
    }
    if (signal.aborted) continue;
    if (parser.retry !== undefined) listener.advised({ retry: parser.retry });
    const { lastId } = parser;
    // A reader from now on is told where it begins, and is live from then on; the first messages may come with that.
    const begins: boolean = fromNow && !live;
    if (lastId === "" || (lastId === at && !begins)) continue;
    at = lastId;
    live ||= begins;
    listener.event({ kind: begins ? "live" : "reached", id: at });
  }
}

function eventIn(http: HttpClient, { event, data, id }: SseEvent): StreamEvent {
  try {
    if (event === "live") return { kind: "live", id };
    if (event === "gap") return { kind: "gap", gap: gapIn(JSON.parse(data) as Frame) };
    return { kind: "message", message: messageIn(http.parse(data) as Frame) };
  } catch (cause) {
    throw notAHub(http.base, "sends events that are not messages", cause);
  }
}
