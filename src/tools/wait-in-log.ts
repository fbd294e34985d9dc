import type { ArrivalSink } from "../core/arrival-sink.ts";
import type { History } from "../core/history.ts";
import type { Message } from "../core/message.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import { offsetOf } from "../protocol/cursor.ts";
import type { RequestContext } from "./tool.ts";

const PAGE = 100;
/** Pages without a message that is wanted, after which a caller that is behind is told how far it has come. */
const MAX_PAGES = 100;
/** Seconds between two progress notifications of a short wait, and of one longer than `SHORT`. */
const PROGRESS = 5;
const SHORT = 60;
const LONG_PROGRESS = 20;
/** Seconds by which those of different callers differ, so that they are not all told at the same moment. */
const SPREAD = 5;
/** Progress that no one was there to hear, after which a wait ends. */
const MAX_UNHEARD = 3;

interface Wait {
  readonly channels: readonly ChannelPattern[];
  readonly after: string;
  readonly seconds: number;
  /** Undefined if all messages are wanted. */
  readonly isWanted: ((message: Message) => boolean) | undefined;
}

interface Waited {
  readonly history: History;
  /** Whether there was something to tell, the time is up, or something else ended the wait. */
  readonly end: "found" | "time" | "ended";
}

/**
 * Subscribes before it reads, so that no message is missed in between. Messages that are quiet do not end the wait by
 * themselves: they come with the next that does, or when the time is up, or at once for a caller that is behind.
 */
export async function waitInLog(
  { channels, after, seconds, isWanted }: Wait,
  arrivals: ArrivalSink,
  { hub, signal, progress }: Pick<RequestContext, "hub" | "signal" | "progress">,
): Promise<Waited> {
  const subscription = hub.subscribe({ channels }, arrivals);
  const start = performance.now();
  const waited = (): number => (performance.now() - start) / 1000;
  const every = seconds > SHORT ? LONG_PROGRESS + SPREAD * Math.random() : PROGRESS;
  const page = async (from: string): Promise<History> =>
    wanted(await hub.history({ channels, after: from, limit: PAGE }));
  const wanted = (history: History): History =>
    isWanted === undefined ? history : { ...history, messages: history.messages.filter(isWanted) };
  let from = after;
  /** Where the quiet messages begin that it has passed. */
  let held: string | undefined;
  let hasWaited = false;
  let pages = 0;
  let unheard = 0;
  let nextProgress = progress === undefined ? Infinity : 0;
  try {
    for (;;) {
      arrivals.reset();
      const all = await hub.history({ channels, after: from, limit: PAGE });
      const history = wanted(all);
      const { length } = history.messages;
      const left = seconds - waited();
      const isBehind = !hasWaited && length > 0 && all.messages.length === PAGE;
      const isWoken = isBehind || history.gap !== undefined || history.messages.some(({ quiet }) => !quiet);
      const isFar = isWanted !== undefined && history.more && !hasWaited && ++pages >= MAX_PAGES;
      if (isWoken || isFar || left <= 0) {
        const end = isWoken || held !== undefined || length > 0 ? "found" : "time";
        return { history: held === undefined ? history : await page(held), end };
      }
      if (length > 0) held ??= from;
      if (waited() >= nextProgress) {
        unheard = progress?.(Math.min(waited(), seconds), seconds) === false ? unheard + 1 : 0;
        nextProgress = waited() + every;
      }
      from = history.next;
      // The log ends a page after it has scanned many messages without a match; let other work run before the next.
      if (history.more) await new Promise<void>((resolve) => setImmediate(resolve));
      else {
        hasWaited = true;
        await arrivals.next(Math.min(left, Math.max(nextProgress - waited(), 0)) * 1000, signal);
      }
      // Callers that the same message wakes read from just before it, so that the log reads one page for all of them;
      // but a caller that another node has already given more keeps its own cursor.
      const { first = 0 } = arrivals;
      if (!history.more && first > offsetOf(from)) from = hub.cursor(first - 1);
      // A log that is closing does not answer; the last page says how to go on.
      if (signal.aborted || arrivals.closed || unheard >= MAX_UNHEARD)
        return { history: { ...history, messages: [], next: held ?? history.next }, end: "ended" };
    }
  } finally {
    hub.unsubscribe(subscription);
  }
}
