import { z } from "zod";
import { ArrivalSink } from "../core/arrival-sink.ts";
import { channelPattern } from "../core/channel.ts";
import { isServerChannel, type ChannelPattern } from "../protocol/channel.ts";
import { offsetOf } from "../protocol/cursor.ts";
import { HubError } from "../core/errors.ts";
import type { History } from "../core/history.ts";
import { checkSubscribe } from "../core/principal.ts";
import { messagePage, messagePageSchema, pageText } from "./results.ts";
import { tool, type Tool, type RequestContext } from "./tool.ts";

/** Seconds; below the 60 after which many clients give up. */
const MAX_SECONDS = 50;
const PAGE = 100;
/** Seconds between two progress notifications. */
const PROGRESS = 5;

export const waitForMessages: Tool = tool({
  name: "wait_for_messages",
  title: "Wait for messages",
  description: "Wait until messages arrive, or the time is up. Call again with the `next` cursor and none is missed",
  input: z.strictObject({
    channels: z.array(z.string()).min(1).describe("Channels or patterns such as orders.*"),
    after: z.string().optional().describe("The `next` of an earlier answer; without it only new messages"),
    timeoutSeconds: z.number().min(0).max(MAX_SECONDS).default(15).describe("How long to wait"),
  }),
  output: messagePageSchema,
  readOnly: true,
  authorize: ({ channels }, principal) => checkSubscribe(principal, channels.map(channelPattern)),
  async run({ channels, after, timeoutSeconds }, context) {
    if (channels.length > context.limits.channels) {
      const { channels: most } = context.limits;
      throw new HubError("TOO_MANY_CHANNELS", `channels names ${channels.length}; at most ${most} are allowed`);
    }
    const patterns = channels.map(channelPattern);
    const own = patterns.find(isServerChannel);
    if (own !== undefined) {
      throw new HubError("INVALID_INPUT", `channels names ${own}, whose messages are not kept; read it at /events`);
    }
    const arrivals = new ArrivalSink({ quietWakes: false });
    const leave = context.stay(() => arrivals.close());
    const history = await wait(patterns, after ?? context.hub.cursor(), timeoutSeconds, arrivals, context).finally(
      leave,
    );
    const page = messagePage(history, (message) => context.hub.idOf(message));
    return { text: pageText(page, context.principal), structured: page };
  },
});

/**
 * Subscribes before it reads, so that no message is missed in between. Messages that are quiet do not end the wait by
 * themselves: they come with the next that does, or when the time is up, or at once for a caller that is behind.
 */
async function wait(
  channels: readonly ChannelPattern[],
  after: string,
  seconds: number,
  arrivals: ArrivalSink,
  { hub, signal, progress }: RequestContext,
): Promise<History> {
  const subscription = hub.subscribe({ channels }, arrivals);
  const start = performance.now();
  const waited = (): number => (performance.now() - start) / 1000;
  let from = after;
  /** Where the quiet messages begin that it has passed. */
  let held: string | undefined;
  const answer = async (history: History): Promise<History> =>
    held === undefined ? history : hub.history({ channels, after: held, limit: PAGE });
  let hasWaited = false;
  let nextProgress = progress === undefined ? Infinity : 0;
  try {
    for (;;) {
      arrivals.reset();
      const history = await hub.history({ channels, after: from, limit: PAGE });
      const left = seconds - waited();
      const isBehind = !hasWaited && history.messages.length === PAGE;
      const isWoken = isBehind || history.gap !== undefined || history.messages.some(({ quiet }) => !quiet);
      if (isWoken || left <= 0) return await answer(history);
      if (history.messages.length > 0) held ??= from;
      if (waited() >= nextProgress) {
        progress?.(Math.min(waited(), seconds), seconds);
        nextProgress = waited() + PROGRESS;
      }
      from = history.next;
      hasWaited = true;
      // The log ends a page after it has scanned many messages without a match; let other work run before the next.
      if (history.more) await new Promise<void>((resolve) => setImmediate(resolve));
      else await arrivals.next(Math.min(left, Math.max(nextProgress - waited(), 0)) * 1000, signal);
      // Callers that the same message wakes read from just before it, so that the log reads one page for all of them;
      // but a caller that another node has already given more keeps its own cursor.
      const { first = 0 } = arrivals;
      if (!history.more && first > offsetOf(from)) from = hub.cursor(first - 1);
      // A log that is closing does not answer; the last page says how to go on.
      if (signal.aborted || arrivals.closed) return { ...history, messages: [], next: held ?? history.next };
    }
  } finally {
    hub.unsubscribe(subscription);
  }
}
