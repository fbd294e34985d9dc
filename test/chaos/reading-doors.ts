import * as http from "node:http";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { WebSocket } from "ws";
import { ask, textOf } from "./http.ts";
import { callModern, LegacyCalls, type CallTool } from "./tool-calls.ts";

/** What a door tells a reader. */
export interface Told {
  message(id: string, n: number, channel: string): void;
  place(id: string): void;
  gap(gap: Gap): void;
}

export interface Reading {
  readonly url: string;
  readonly channels: readonly string[];
  /** A cursor or `earliest`; undefined for what is new. */
  readonly after: string | undefined;
  readonly told: Told;
  readonly signal: AbortSignal;
}

/** Reads until the connection ends, nothing comes any more, or the signal is aborted; resolves with why it ended. */
export type ReadingDoor = (reading: Reading) => Promise<string>;

interface Gap {
  readonly reason: string;
  readonly after: string;
  readonly resumed: string;
}

interface Message {
  readonly id: string;
  readonly channel: string;
  readonly data: { readonly n: number };
}

/** A page of history, as far as clients look into it. */
export interface Page {
  readonly messages: readonly Message[];
  readonly next: string;
  readonly more: boolean;
  readonly gap: Gap | null;
}

/** Milliseconds without a byte after which a reader goes elsewhere; heartbeats come every second. */
const SILENCE = 3500;
/** Seconds that a call waits. */
const WAIT = 2;
const PAGE = 50;
/** Milliseconds between two looks at the history. */
const POLL = 300;

export type ReadingDoorName = "sse" | "websocket" | "modern wait" | "legacy wait" | "history";

/** Opens a door for one reader, which uses it at one place after another. */
export const READING_DOORS: Readonly<Record<ReadingDoorName, () => ReadingDoor>> = {
  sse: () => readEvents,
  websocket: () => readFrames,
  "modern wait": () => (reading) => readCalls(callModern, reading),
  "legacy wait": () => {
    const { call } = new LegacyCalls();
    return (reading) => readCalls(call, reading);
  },
  history: () => readHistory,
};

async function readEvents({ url, channels, after, told, signal }: Reading): Promise<string> {
  const headers = { accept: "text/event-stream", ...(after === undefined ? {} : { "last-event-id": after }) };
  const query = new URLSearchParams({ channel: channels.join(","), format: "json" });
  const request = http.get(`${url}/events?${query.toString()}`, { headers, agent: false, signal });
  request.setTimeout(SILENCE, () => request.destroy(new Error("silence")));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  if (response.statusCode !== 200) {
    response.resume();
    return `status ${response.statusCode}`;
  }
  // An id is that of the event it is in, or of an event that has nothing else and moves the reader's place.
  let id: string | undefined;
  const settle = (): void => {
    if (id !== undefined) told.place(id);
    id = undefined;
  };
  const parser = createParser({
    onId: (given) => {
      settle();
      id = given;
    },
    onEvent: ({ event = "message", data }) => {
      const given = id;
      id = undefined;
      const content = JSON.parse(data) as Message & Gap;
      if (event === "gap") told.gap(content);
      else if (event === "live") told.place(content.id);
      else if (given !== undefined) told.message(given, content.data.n, content.channel);
    },
  });
  response.setEncoding("utf8").on("data", (text: string) => {
    parser.feed(text);
    // What ends with an empty line is a whole event.
    if (text.endsWith("\n\n") || text.endsWith("\n\n\r\n")) settle();
  });
  return ended(response);
}

async function readFrames({ url, channels, after, told, signal }: Reading): Promise<string> {
  const query = new URLSearchParams({
    channel: channels.join(","),
    ...(after === undefined ? {} : { last_event_id: after }),
  });
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws?${query.toString()}`, { handshakeTimeout: SILENCE });
  return new Promise((resolve) => {
    const leave = (why: string): void => {
      socket.terminate();
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
      resolve(why);
    };
    const stop = (): void => leave("stopped");
    const silence = setTimeout(() => leave("silence"), SILENCE);
    let isGone = false;
    signal.addEventListener("abort", stop);
    socket.on("error", (error) => leave(String(error)));
    socket.on("close", (code) => {
      isGone = true;
      leave(`closed ${code}`);
    });
    socket.on("message", (data) => {
      if (isGone || signal.aborted) return;
      silence.refresh();
      const frame = JSON.parse(textOf(data)) as { readonly type: string } & Message & Gap;
      if (frame.type === "message") told.message(frame.id, frame.data.n, frame.channel);
      else if (frame.type === "gap") told.gap(frame);
      else if (frame.type === "live" || frame.type === "beat") told.place(frame.id);
      else if (frame.type === "welcome" && after === undefined) told.place(frame.id);
    });
  });
}

async function readCalls(call: CallTool, { url, channels, after, told, signal }: Reading): Promise<string> {
  const patience = WAIT * 1000 + SILENCE;
  let from = after;
  while (!signal.aborted) {
    const input = { channels, timeoutSeconds: WAIT, ...(from === undefined ? {} : { after: from }) };
    const { status, structured, why } = await call(url, "wait_for_messages", input, { signal, patience });
    if (structured === undefined) return `status ${status}: ${why}`;
    from = tellPage(structured as unknown as Page, told);
  }
  return "stopped";
}

async function readHistory({ url, channels, after = "earliest", told, signal }: Reading): Promise<string> {
  let from = after;
  const [channel] = channels;
  while (!signal.aborted) {
    const query = new URLSearchParams({ after: from, limit: String(PAGE) });
    const { status, text } = await ask(`${url}/channels/${channel}/messages?${query.toString()}`, { signal });
    if (status !== 200) return `status ${status}: ${text.slice(0, 200)}`;
    const page = JSON.parse(text) as Page;
    const hasMore = page.more && page.next !== from;
    from = tellPage(page, told);
    if (!hasMore) await pause(POLL, undefined, { signal }).catch(() => {});
  }
  return "stopped";
}

/** Tells a page; returns where the next one begins. */
function tellPage({ messages, next, gap }: Page, told: Told): string {
  if (gap !== null) told.gap(gap);
  for (const { id, data, channel } of messages) told.message(id, data.n, channel);
  told.place(next);
  return next;
}

function ended(response: http.IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let why = "ended";
    response.on("error", (error) => (why = String(error)));
    response.on("close", () => resolve(why));
  });
}
