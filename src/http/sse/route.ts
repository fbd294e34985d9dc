import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Identity } from "../../core/attendance.ts";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { checkSubscribe, type Principal } from "../../core/principal.ts";
import type { CloseReason } from "../../core/sink.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { ChannelPattern } from "../../protocol/channel.ts";
import { sseOpening } from "../../protocol/sse.ts";
import { principalOf } from "../authentication.ts";
import { varyByEncoding } from "../compression.ts";
import type { Opened } from "../../ops/open-connections.ts";
import { callerOf, enter, openedBy, type HttpContext } from "../context.ts";
import { requestedChannels, requestedCursor, requestedReader, requestedWatch, streamQuery } from "../channel-query.ts";
import { attended, readerIdentity, readerParameter } from "../participants.ts";
import { formatOf } from "./formats.ts";
import { prefersGzip } from "./gzip.ts";
import { EventStream, freeSocket, retryDelay, STREAM_HEADERS } from "./raw-socket.ts";
import { SseSink } from "./sink.ts";

/** Where a stream resumes. */
export const cursorParameter: z.ZodType = z
  .string()
  .optional()
  .meta({
    description:
      "A cursor to resume from, or `earliest`; `lastEventId` and the like mean the same. Last-Event-ID comes first",
    examples: ["earliest"],
  });

const query = z.object({
  channel: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({
      description: "Channels or patterns, repeated or separated by commas; `default` without it",
      examples: ["orders.*"],
    }),
  format: z.enum(["text", "json"]).optional().describe("json: `data:` is the whole message; text: what was published"),
  id_events: z
    .enum(["true", "false"])
    .optional()
    .describe(
      "false: no event without data, for clients that hand those on; one that has had no message resumes from now",
    ),
  last_event_id: cursorParameter,
  watch: z
    .string()
    .optional()
    .meta({ description: "true: looks on, and counts neither as a receiver nor as a reader", examples: ["true"] }),
  reader: readerParameter,
});

const resumeHeaders = z.looseObject({
  "last-event-id": z
    .string()
    .optional()
    .meta({ description: "A cursor to resume from; browsers send it by themselves", examples: ["5f1c20ab9e-41"] }),
});

/** `GET /events`: messages as Server-Sent Events. */
export function events(app: FastifyInstance, context: HttpContext): void {
  const schema = {
    summary: "Receive messages as Server-Sent Events",
    description:
      "Resumes after `Last-Event-ID`: everything missed in order, then `event: live`, then what is new. " +
      "`event: gap` says what has expired. Heartbeats are comments, with an event that has an id and no " +
      "data if the last id has become old.",
    tags: ["receive"],
    querystring: query,
    headers: resumeHeaders,
    response: {
      200: { description: "A stream that stays open", content: { "text/event-stream": { schema: z.string() } } },
    },
  };
  app.get("/events", { schema, exposeHeadRoute: false }, (request, reply) => {
    const asked = streamQuery(request.url);
    const channels = requestedChannels(asked, context.limits.channels);
    if (channels.length === 0)
      throw new HubError("INVALID_PATTERN", "channel is empty; leave it out, or name a channel");
    const principal = principalOf(request, context);
    checkSubscribe(principal, channels);
    const after = requestedCursor(firstOf(request.headers["last-event-id"]), asked);
    const watch = requestedWatch(asked);
    const reader = requestedReader(asked);
    const identity = watch ? undefined : readerIdentity(principal, request.headers);
    const socket = freeSocket(request, reply);
    const isGzip = negotiateGzip(request, reply, context);
    const caller = callerOf(request.raw, principal, context);
    const leave = enter(context, "sse", socket, caller);
    const by = openedBy(request.raw, caller);
    reply.hijack();
    const format = asked.get("format") === "json" ? "json" : "text";
    const idEvents = asked.get("id_events") !== "false";
    // Not inside the parser, which may go on to requests after this one: their answers would end up in the stream.
    setImmediate(() => {
      if (!socket.writable) {
        leave();
        return;
      }
      const fromNow = after === undefined;
      const opening = sseOpening(retryDelay(), fromNow && idEvents ? context.hub.cursor() : undefined);
      const stream = new EventStream(socket, request, reply, opening, isGzip);
      const sink = new SseSink(stream, formatOf(format, stream), idEvents);
      const subscription = context.hub.subscribe({ channels, watch, ...(fromNow ? {} : { after }) }, sink);
      hold(context, { principal, identity, reader }, new SseReader(by, socket, subscription, context.hub), sink, leave);
    });
  });
  app.head("/events", { schema: { hide: true } }, (request, reply) => {
    if (negotiateGzip(request, reply, context)) reply.header("content-encoding", "gzip");
    return reply.headers(STREAM_HEADERS).send();
  });
}

/** Whether the stream of a reader is gzip; says to caches that it depends on what the reader accepts. */
function negotiateGzip({ headers }: FastifyRequest, reply: FastifyReply, { compressStreams }: HttpContext): boolean {
  if (!compressStreams) return false;
  varyByEncoding(reply);
  return prefersGzip(headers["accept-encoding"]);
}

/** A reader of `/events`. Remembers nothing of its request, which would make up a third of it. */
class SseReader implements Opened {
  readonly door = "sse";
  readonly subject: string;
  readonly address: string;
  readonly client: string | undefined;
  readonly socket: Socket;
  readonly subscription: Subscription;
  readonly #hub: Hub;

  constructor(
    { subject, address, client }: Pick<Opened, "subject" | "address" | "client">,
    socket: Socket,
    subscription: Subscription,
    hub: Hub,
  ) {
    this.subject = subject;
    this.address = address;
    this.client = client;
    this.socket = socket;
    this.subscription = subscription;
    this.#hub = hub;
  }

  get channels(): readonly ChannelPattern[] {
    return this.subscription.channels;
  }

  get watches(): boolean {
    return this.subscription.watches;
  }

  end(reason: CloseReason = "ended"): void {
    this.#hub.end(this.subscription, reason);
  }
}

/** Until the connection closes. Without an identity, the reader is not among the participants. */
function hold(
  { hub, lifetimes, open, participants }: HttpContext,
  by: { readonly principal: Principal; readonly identity: Identity | undefined; readonly reader: string | undefined },
  stream: SseReader,
  sink: SseSink,
  leave: () => void,
): void {
  const { principal, identity, reader } = by;
  const attendee = identity && participants.attendee(identity, () => stream.channels);
  const depart = attendee && attended(participants, attendee, reader);
  const release = lifetimes.hold(principal, {
    expiring: () => sink.comment("credential expires"),
    end: (reason) => stream.end(reason),
  });
  const unlist = open.add(stream);
  stream.socket.once("close", () => {
    unlist();
    release();
    depart?.();
    hub.unsubscribe(stream.subscription);
    leave();
  });
}

function firstOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}
