import { hash } from "node:crypto";
import { HubError, isOfNewChannel } from "../core/errors.ts";
import { draft, type Draft, type Message, type NewDraft } from "../core/message.ts";
import type { Appended } from "../core/log.ts";
import { channelName } from "../core/channel.ts";
import type { Batch, Outcome, Received, Source } from "./bus.ts";
import type { BridgeWork } from "./context.ts";
import { deadLetter, draftOf, otherKey, type Origin } from "./incoming.ts";
import type { InRule } from "./rules.ts";
import { isTemplate } from "./template.ts";

/** Milliseconds before messages that the hub could not take are published again: at first, and at most. */
const MIN_BACKOFF = 100;
const MAX_BACKOFF = 5000;
/** Bytes that a dead letter may have even if messages are smaller: it tells of one. */
const MIN_LETTER = 64 * 1024;
/** Characters of its place on the bus that a sentence about a message has. */
const MAX_WHERE = 200;

/** A rule with `onError: stop` met a message that the hub will never take. */
export class StoppedError extends Error {}

/** Publishes what a source receives, in order, until it is closed. Rejects if the connection is lost, or with a `StoppedError`. */
export async function receive(
  source: Source,
  rule: InRule,
  origin: Origin,
  work: BridgeWork,
  signal: AbortSignal,
): Promise<void> {
  let settling: Promise<void> = Promise.resolve();
  try {
    for await (const batch of source.batches()) {
      const outcomes = await keep(batch, rule, origin, work, signal);
      await settling;
      // The hub, or the right to receive, is gone: what was not acknowledged is delivered again.
      if (outcomes === undefined) return;
      // The bus takes the acknowledgements while the hub keeps the next batch.
      settling = batch.settle(outcomes);
      settling.catch(() => {});
    }
    await settling;
  } finally {
    await settling.catch(() => {});
  }
}

/** A received message on its way into the hub. */
interface Item {
  readonly received: Received;
  /** What is published of it; undefined if that is nothing. */
  draft?: NewDraft;
  /** Why the hub will never take it. */
  error?: Error;
  /** What the bus is told; undefined until that is known. */
  outcome: Outcome | undefined;
}

/** Has the hub keep a batch. What it cannot take now is tried again until it can; undefined if that was given up. */
async function keep(
  { messages }: Batch,
  rule: InRule,
  origin: Origin,
  work: BridgeWork,
  signal: AbortSignal,
): Promise<readonly Outcome[] | undefined> {
  const items = messages.map((received) => itemOf(received, rule, origin, work));
  for (let backoff = MIN_BACKOFF; ; backoff = Math.min(2 * backoff, MAX_BACKOFF)) {
    const { unavailable, isRenamed } = await publishOnce(items, rule, work);
    for (const item of items) {
      const { received, error, outcome } = item;
      if (outcome === undefined && error !== undefined) item.outcome = await poisoned(received, error, rule, work);
    }
    const outcomes = items.map(({ outcome }) => outcome);
    if (outcomes.every((outcome) => outcome !== undefined)) return outcomes;
    if (signal.aborted || unavailable?.code === "SHUTTING_DOWN") return undefined;
    if (unavailable !== undefined && isOfNewChannel(unavailable) && backoff === MIN_BACKOFF)
      work.notice(`messages wait until the hub can take them: ${unavailable.message}`);
    if (!isRenamed) await work.wait(backoff, signal);
    if (signal.aborted) return undefined;
  }
}

function itemOf(received: Received, rule: InRule, origin: Origin, { counters }: BridgeWork): Item {
  try {
    const made = draftOf(received, rule, origin);
    if (typeof made === "object") return { received, draft: made, outcome: undefined };
    counters[made === "loop" ? "loops" : "tombstones"]++;
    return { received, outcome: "done" };
  } catch (error) {
    return { received, error: error as Error, outcome: undefined };
  }
}

/**
 * Publishes what is left of a batch, and notes the outcome of what the hub has kept, and the error of what it will never
 * take. Resolves with why it could not take the rest, and whether some are to be published again with another key.
 */
async function publishOnce(
  items: readonly Item[],
  rule: InRule,
  { hub, counters }: BridgeWork,
): Promise<{ readonly unavailable: HubError | undefined; readonly isRenamed: boolean }> {
  const left = items.filter(({ outcome, error }) => outcome === undefined && error === undefined);
  const published = await hub.publishAll(left.map(({ draft: made }) => made as NewDraft));
  let unavailable: HubError | undefined;
  let isRenamed = false;
  for (let index = 0; index < left.length; index++) {
    const item = left[index] as Item;
    const made = item.draft as NewDraft;
    const result = published[index] as Appended | HubError;
    if (result instanceof HubError) {
      if (isFinal(result, rule)) item.error = result;
      else unavailable ??= result;
    } else if (result.repeated && !isOf(result.message, made)) {
      item.draft = { ...made, key: otherKey(made) };
      isRenamed = true;
    } else {
      counters[result.repeated ? "repeated" : "received"]++;
      item.outcome = "done";
    }
  }
  return { unavailable, isRenamed };
}

/**
 * Whether the hub will not take a message later, either. If messages name their channels, one that would need a new channel
 * must not hold up those of the channels that exist; if all have the same channel, they wait for it.
 */
function isFinal(error: HubError, { channel }: InRule): boolean {
  return !error.retry || (isOfNewChannel(error) && isTemplate(channel));
}

/** Whether a message has the content of this draft: another one may have had the same id. */
function isOf({ data, event }: Message, made: Draft): boolean {
  return data === made.data && event === made.event;
}

/** What becomes of a message that the hub will never take; undefined if its dead letter has to be tried again. */
async function poisoned(
  received: Received,
  error: Error,
  rule: InRule,
  { bridge, counters, hub, maxBytes, notice }: BridgeWork,
): Promise<Outcome | undefined> {
  const where = (received.position ?? Object.values(received.names)[0] ?? "").slice(0, MAX_WHERE);
  const sentence = `a message (${where}) cannot be published: ${error.message}`;
  if (rule.onError === "stop") throw new StoppedError(sentence);
  if (rule.onError !== "skip") {
    const channel = channelName(rule.onError.slice("channel:".length));
    const most = Math.max(maxBytes, MIN_LETTER);
    const position = received.position && hash("sha256", received.position);
    const data = deadLetter(received, error, most);
    const letter = draft({ channel, data, event: "dead-letter", sender: bridge, via: `bridge:${bridge}` }, most);
    const key = position === undefined ? {} : { key: `bridge:${bridge}\ndead ${position}` };
    try {
      await hub.publish({ ...letter, ...key });
    } catch (cause) {
      if (cause instanceof HubError && cause.retry && !isOfNewChannel(cause)) return undefined;
      counters.rejected++;
      notice(`${sentence}; nor is its dead letter: ${(cause as Error).message}`);
      return "rejected";
    }
  }
  counters.rejected++;
  notice(sentence);
  return rule.onError === "skip" ? "rejected" : "done";
}
