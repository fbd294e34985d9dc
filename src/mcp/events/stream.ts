import { identityOf } from "../../core/attendance.ts";
import { followPages } from "../../core/follow-pages.ts";
import { HubError } from "../../core/errors.ts";
import { occurrenceMembers } from "../../core/occurrence.ts";
import { EVENT_CODES } from "../../protocol/event-dialect.ts";
import type { StayEnd } from "../../tools/index.ts";
import { META, type JsonObject } from "../errors.ts";
import type { McpRequestContext, NotificationStream } from "../request-context.ts";
import type { EventCatalog } from "./event-catalog.ts";
import { eventError } from "./event-error.ts";
import { eventQuery, type EventQuery } from "./event-query.ts";
import { eventStart, type EventStart } from "./event-start.ts";
import { isOccurrence } from "./event-type.ts";

/** Messages in one page of the log. */
const PAGE = 64;

/**
 * `events/stream`: occurrences as notifications, from a cursor on, until the client, the end of its credential or the
 * server ends it. A slow client gets them as it takes them: they are read from the log when there is room.
 */
export async function streamEvents(
  params: JsonObject,
  call: McpRequestContext,
  catalog: EventCatalog,
): Promise<JsonObject> {
  const query = eventQuery(params, call, catalog);
  const { dialect, streams } = catalog;
  if (call.openDedicated === undefined) {
    const sentence = "events/stream needs an answer that is a stream; use events/poll";
    throw eventError(dialect, "unsupported", sentence, { feature: "deliveryMode", value: "push" });
  }
  const start = await eventStart(call.hub, query.selection.channels, query);
  const leave = streams.take(call.principal);
  if (typeof leave === "number") {
    const sentence = `${leave} streams of events are open already; end one, or use events/poll`;
    throw eventError(dialect, "resourceExhausted", sentence, { limit: "streams", max: leave });
  }
  const { channels } = query.selection;
  const depart = call.participants.attendee(identityOf(call.principal, "agent", call.sender), () => channels).connect();
  try {
    const end = new AbortController();
    let why: StayEnd | undefined;
    const stream = call.openDedicated(query.selection.channels, (reason) => {
      why = reason;
      end.abort();
    });
    const out = new EventNotifications(stream, call.id, catalog.patience);
    await follow(query, start, out, call, catalog.beat, AbortSignal.any([call.signal, end.signal]));
    if (why === "revoked") {
      const error = { code: EVENT_CODES[dialect].forbidden, message: "The credential of this stream was revoked" };
      out.tell("terminated", `"error":${JSON.stringify(error)}`);
    }
    return { _meta: { [META.subscriptionId]: call.id } };
  } finally {
    depart(true);
    leave();
  }
}

/** Resolves when the signal is aborted, the client is cut, or the server stops. */
async function follow(
  { type, selection }: EventQuery,
  { cursor, truncated }: EventStart,
  out: EventNotifications,
  { hub }: McpRequestContext,
  beat: number,
  signal: AbortSignal,
): Promise<void> {
  out.tell("active", `"cursor":"${cursor}","truncated":${truncated}`);
  const { channels } = selection;
  try {
    for await (const page of followPages(hub, { channels, after: cursor, limit: PAGE, beat, signal })) {
      if (page.gap !== undefined) out.tell("active", `"cursor":"${page.gap.resumed}","truncated":true`);
      for (const message of page.messages) {
        if (!isOccurrence(selection, message)) continue;
        const id = hub.cursor(message.offset);
        out.tell("event", occurrenceMembers(type.name, message, id, id));
        if (!(await out.isTaken(signal))) return;
      }
      if (out.isQuietFor(beat)) out.tell("heartbeat", `"cursor":"${page.next}"`);
      if (!(await out.isTaken(signal))) return;
    }
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== "SHUTTING_DOWN") throw error;
  }
}

/** The notifications of one stream. */
class EventNotifications {
  readonly #stream: NotificationStream;
  readonly #meta: string;
  readonly #patience: number;
  #last = 0;

  constructor(stream: NotificationStream, id: string | number, patience: number) {
    this.#stream = stream;
    this.#patience = patience;
    this.#meta = `"_meta":{"${META.subscriptionId}":${JSON.stringify(id)}}`;
  }

  /** `members` is the inside of the params as JSON text, without braces. */
  tell(name: string, members: string): void {
    this.#last = performance.now();
    this.#stream.write(`{"jsonrpc":"2.0","method":"notifications/events/${name}","params":{${members},${this.#meta}}}`);
  }

  isQuietFor(milliseconds: number): boolean {
    // Timers may be early by a little.
    return performance.now() - this.#last >= milliseconds - 1;
  }

  /** Waits until the client has taken what was written; cuts it if that takes too long. False if nothing more is to be. */
  async isTaken(signal: AbortSignal): Promise<boolean> {
    if (!this.#stream.isLagging || signal.aborted) return !signal.aborted;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => {
      // It comes back with its cursor.
      this.#stream.cut();
      resolve(false);
    }, this.#patience);
    const stop = (): void => resolve(false);
    signal.addEventListener("abort", stop);
    void this.#stream.drained().then(() => resolve(true));
    const isTaken = await promise;
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
    return isTaken;
  }
}
