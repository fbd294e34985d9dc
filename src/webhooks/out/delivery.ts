import type { Hub } from "../../core/hub.ts";
import type { Message } from "../../core/message.ts";
import type { Records } from "../../core/records.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { EventDialect } from "../../protocol/event-dialect.ts";
import type { Gap } from "../../protocol/signal.ts";
import type { Clock } from "./clock.ts";
import { controlEnvelope, occurrenceEnvelope } from "./event-subscription.ts";
import type { Destinations } from "./destinations.ts";
import { gapEnvelope, messageEnvelope, pathOf, type Envelope, type Origin } from "./envelope.ts";
import type { Attempt, Pending, PendingGap } from "./progress.ts";
import { PostFault, type SafePoster } from "./safe-post.ts";
import { signed } from "./signature.ts";
import type { Suspension, Webhook } from "./webhook.ts";

/** What the webhooks of a node share. */
export interface DispatchContext {
  readonly hub: Hub;
  readonly records: Records;
  readonly poster: SafePoster;
  readonly destinations: Destinations;
  readonly origin: Origin;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly counters: WebhookCounters;
  readonly userAgent: string;
  /** The dialect in which MCP clients are told of events; `off` if they are not. */
  readonly dialect: EventDialect | "off";
  /** Why its owner's right to a webhook is over; undefined while it is not. */
  readonly lapse: (webhook: Webhook) => string | undefined;
  /** Notes that nothing more is to be sent. */
  readonly suspend: (webhook: Webhook, reason: Suspension["reason"]) => Promise<void>;
  readonly log: { warn(fields: object, sentence: string): void };
}

/** How deliveries ended, since the start. */
export interface WebhookCounters {
  delivered: number;
  /** Tries that failed. */
  failed: number;
  /** Messages that were never delivered. */
  givenUp: number;
}

/** What is to be sent, as far as it is known. */
interface ToSend {
  /** When it was tried first. */
  readonly since: number;
  /** Undefined if its content is to be read. */
  readonly message: Message | undefined;
  /** Up to where everything is delivered or given up, once this is. */
  readonly cursor: string;
}

/** What came of a try. */
export interface Tried {
  readonly made: Omit<Attempt, "outcome" | "attempt">;
  readonly isTaken: boolean;
  readonly retryAfter: string | undefined;
}

/**
 * Sends a message, or a gap, once. Resolves with undefined if the signal
 * was aborted before there was an answer.
 */
export async function deliver(
  item: Pending,
  { since, message, cursor }: ToSend,
  webhook: Webhook,
  context: DispatchContext,
  signal: AbortSignal,
): Promise<Tried | undefined> {
  const { clock, poster, userAgent } = context;
  const { id, headers, body } = await envelopeOf(item, { since, message, cursor }, webhook, context);
  const time = clock.now();
  const all = { "user-agent": userAgent, ...headers, ...signed(id, time, body, webhook.secrets) };
  try {
    const { status, retryAfter } = await poster.post(new URL(webhook.url), all, body, signal);
    const made = { id, time, milliseconds: clock.now() - time, status };
    const isTaken = status >= 200 && status < 300;
    const isRedirect = status >= 300 && status < 400;
    return { made: isRedirect ? { ...made, error: "redirects are not followed" } : made, isTaken, retryAfter };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof PostFault)) throw error;
    const made = { id, time, milliseconds: clock.now() - time, error: error.message, fault: error.kind };
    return { made, isTaken: false, retryAfter: undefined };
  }
}

/** The content of what is to be sent; a message that the log no longer has becomes a gap. */
async function envelopeOf(item: Pending, sent: ToSend, webhook: Webhook, context: DispatchContext): Promise<Envelope> {
  const { hub, origin } = context;
  const { id, format, channels } = webhook;
  if (item.gap === undefined) {
    if (sent.message !== undefined) return contentEnvelope(sent.message, item.id, sent.cursor, webhook, context);
    const after = hub.cursor(Math.max((parseCursor(item.id)?.offset ?? 1) - 1, 0));
    const { messages, gap } = await hub.history({ channels, after, limit: 1 });
    const found = messages.find((message) => hub.idOf(message) === item.id);
    if (found !== undefined) return contentEnvelope(found, item.id, sent.cursor, webhook, context);
    item.gap = { reason: gap === undefined ? "expired" : pendingGap(gap).reason, after, resumed: item.id };
  }
  const { resumed } = item.gap;
  return webhook.mcp === undefined
    ? gapEnvelope(id, item.gap, sent.since, format, origin)
    : controlEnvelope("gap", { cursor: resumed }, resumed, { subscription: id, path: origin.hubId });
}

/** A message as the body of a delivery. */
function contentEnvelope(
  message: Message,
  id: string,
  cursor: string,
  { id: subscription, format, mcp }: Webhook,
  { origin, dialect }: DispatchContext,
): Envelope {
  if (mcp === undefined) return messageEnvelope(message, id, format, origin);
  const path = pathOf(message, origin);
  return occurrenceEnvelope(message, id, { subscription, name: mcp.name, cursor, path, dialect });
}

export function pendingGap({ reason, after, resumed }: Gap): PendingGap {
  return { reason: reason as PendingGap["reason"], after, resumed };
}
