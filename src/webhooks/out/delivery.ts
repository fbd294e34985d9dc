import type { Hub } from "../../core/hub.ts";
import type { Message } from "../../core/message.ts";
import type { Records } from "../../core/records.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { Gap } from "../../protocol/signal.ts";
import type { Clock } from "./clock.ts";
import type { Destinations } from "./destinations.ts";
import { gapEnvelope, messageEnvelope, type Envelope, type Origin } from "./envelope.ts";
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

/** What came of a try. */
export interface Tried {
  readonly made: Omit<Attempt, "outcome" | "attempt">;
  readonly isTaken: boolean;
  readonly retryAfter: string | undefined;
}

/**
 * Sends a message, or a gap, once: `message` is its content if that is at hand. Resolves with undefined if the signal
 * was aborted before there was an answer.
 */
export async function deliver(
  item: Pending,
  since: number,
  message: Message | undefined,
  webhook: Webhook,
  context: DispatchContext,
  signal: AbortSignal,
): Promise<Tried | undefined> {
  const { clock, poster, userAgent } = context;
  const { id, headers, body } = await envelopeOf(item, since, message, webhook, context);
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
    const made = { id, time, milliseconds: clock.now() - time, error: error.message };
    return { made, isTaken: false, retryAfter: undefined };
  }
}

/** The content of what is to be sent; a message that the log no longer has becomes a gap. */
async function envelopeOf(
  item: Pending,
  since: number,
  known: Message | undefined,
  { id: webhook, format, channels }: Webhook,
  { hub, origin }: DispatchContext,
): Promise<Envelope> {
  if (item.gap === undefined) {
    if (known !== undefined) return messageEnvelope(known, item.id, format, origin);
    const after = hub.cursor(Math.max((parseCursor(item.id)?.offset ?? 1) - 1, 0));
    const { messages, gap } = await hub.history({ channels, after, limit: 1 });
    const found = messages.find((message) => hub.idOf(message) === item.id);
    if (found !== undefined) return messageEnvelope(found, item.id, format, origin);
    item.gap = { reason: gap === undefined ? "expired" : pendingGap(gap).reason, after, resumed: item.id };
  }
  return gapEnvelope(webhook, item.gap, since, format, origin);
}

export function pendingGap({ reason, after, resumed }: Gap): PendingGap {
  return { reason: reason as PendingGap["reason"], after, resumed };
}
