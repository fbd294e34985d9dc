import { hash } from "node:crypto";
import { HubError, isOfNewChannel } from "../core/errors.ts";
import { draft, type Draft, type Message, type NewDraft } from "../core/message.ts";
import type { Appended } from "../core/log.ts";
import { channelName } from "../core/channel.ts";
import type { Batch, Outcome, Received, Source } from "./bus.ts";
import type { BridgeWork } from "./context.ts";
import { deadLetter, draftOf, otherKey, type Origin, type Skipped } from "./incoming.ts";
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

/** Has the hub keep a batch. What it cannot take now is tried again until it can; undefined if that was given up. */
async function keep(
  { messages }: Batch,
  rule: InRule,
  origin: Origin,
  work: BridgeWork,
  signal: AbortSignal,
): Promise<readonly Outcome[] | undefined> {
  const { counters, hub, notice } = work;
  const drafts = messages.map((received) => drafted(received, rule, origin));
  const outcomes = drafts.map((made): Outcome | undefined => {
    if (made !== "loop" && made !== "tombstone") return undefined;
    counters[made === "loop" ? "loops" : "tombstones"]++;
    return "done";
  });
  for (let backoff = MIN_BACKOFF; ; backoff = Math.min(2 * backoff, MAX_BACKOFF)) {
    const left: NewDraft[] = [];
    const places: number[] = [];
    for (let index = 0; index < drafts.length; index++) {
      const made = drafts[index];
      if (outcomes[index] !== undefined || !isDraft(made)) continue;
      left.push(made);
      places.push(index);
    }
    const published = await hub.publishAll(left);
    let unavailable: HubError | undefined;
    let isRenamed = false;
    for (let at = 0; at < left.length; at++) {
      const index = places[at] as number;
      const made = left[at] as NewDraft;
      const outcome = published[at] as Appended | HubError;
      if (outcome instanceof HubError) {
        if (!isFinal(outcome, rule)) unavailable ??= outcome;
        else drafts[index] = outcome;
      } else if (outcome.repeated && !isOf(outcome.message, made)) {
        drafts[index] = { ...made, key: otherKey(made) };
        isRenamed = true;
      } else {
        counters[outcome.repeated ? "repeated" : "received"]++;
        outcomes[index] = "done";
      }
    }
    for (let index = 0; index < drafts.length; index++) {
      const made = drafts[index];
      if (outcomes[index] === undefined && made instanceof Error)
        outcomes[index] = await poisoned(messages[index] as Received, made, rule, work);
    }
    if (outcomes.every((outcome) => outcome !== undefined)) return outcomes;
    if (signal.aborted || unavailable?.code === "SHUTTING_DOWN") return undefined;
    if (unavailable !== undefined && isOfNewChannel(unavailable) && backoff === MIN_BACKOFF)
      notice(`messages wait until the hub can take them: ${unavailable.message}`);
    if (!isRenamed) await work.wait(backoff, signal);
    if (signal.aborted) return undefined;
  }
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

function drafted(received: Received, rule: InRule, origin: Origin): NewDraft | Skipped | Error {
  try {
    return draftOf(received, rule, origin);
  } catch (error) {
    return error as Error;
  }
}

function isDraft(made: NewDraft | Skipped | Error | undefined): made is NewDraft {
  return typeof made === "object" && !(made instanceof Error);
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
