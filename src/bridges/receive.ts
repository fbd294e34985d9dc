import { hash } from "node:crypto";
import { HubError } from "../core/errors.ts";
import type { Hub } from "../core/hub.ts";
import { draft, type Draft, type Published } from "../core/message.ts";
import { channelName } from "../core/channel.ts";
import type { Batch, Outcome, Received, Source } from "./bus.ts";
import type { BridgeWork } from "./context.ts";
import { deadLetter, draftOf, otherKey, type Origin } from "./incoming.ts";
import type { InRule } from "./rules.ts";

/** Milliseconds before the hub is asked again that could not take messages, and at most, after some tries. */
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
  for await (const batch of source.batches()) {
    const outcomes = await keep(batch, rule, origin, work, signal);
    // The hub, or the right to receive, is gone: what was not acknowledged is delivered again.
    if (outcomes === undefined) return;
    await batch.settle(outcomes);
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
  const { counters, hub } = work;
  const outcomes: (Outcome | undefined)[] = messages.map(() => undefined);
  const drafts = messages.map((received) => drafted(received, rule, origin));
  for (let backoff = MIN_BACKOFF; ; backoff = Math.min(2 * backoff, MAX_BACKOFF)) {
    // All of a turn, in order, are one write of the log.
    const results = await Promise.allSettled(
      drafts.map(async (made, index) =>
        typeof made === "object" && "channel" in made && outcomes[index] === undefined
          ? published(made, hub)
          : undefined,
      ),
    );
    let isUnavailable: HubError | undefined;
    for (const [index, received] of messages.entries()) {
      const [made, result] = [drafts[index], results[index]];
      if (outcomes[index] !== undefined || made === undefined || result === undefined) continue;
      if (result.status === "fulfilled" && result.value !== undefined) {
        if (result.value.repeated) counters.repeated++;
        else counters.received++;
        outcomes[index] = "kept";
        continue;
      }
      if (made === "loop" || made === "tombstone") {
        counters[made === "loop" ? "loops" : "tombstones"]++;
        outcomes[index] = "kept";
        continue;
      }
      const error = made instanceof Error ? made : ((result as PromiseRejectedResult).reason as Error);
      if (error instanceof HubError && error.retry) isUnavailable ??= error;
      else outcomes[index] = await poisoned(received, error, rule, work);
    }
    if (outcomes.every((outcome) => outcome !== undefined)) return outcomes;
    if (signal.aborted || isUnavailable?.code === "SHUTTING_DOWN") return undefined;
    await work.wait(backoff, signal);
    if (signal.aborted) return undefined;
  }
}

/** Publishes a message that may have been published before; one that only has the id of another is a message, too. */
async function published(made: Draft, hub: Hub): Promise<Published> {
  const first = await hub.publish(made);
  const { repeated, message } = first;
  if (!repeated || (message.data === made.data && message.event === made.event)) return first;
  return hub.publish({ ...made, key: otherKey(made) });
}

function drafted(received: Received, rule: InRule, origin: Origin): Draft | "loop" | "tombstone" | Error {
  try {
    return draftOf(received, rule, origin);
  } catch (error) {
    return error as Error;
  }
}

/** What becomes of a message that the hub will never take; undefined if its dead letter has to be tried again. */
async function poisoned(
  received: Received,
  error: Error,
  rule: InRule,
  { bridge, counters, hub, maxBytes, notice }: BridgeWork,
): Promise<Outcome | undefined> {
  const where = (received.position ?? Object.values(received.names)[0] ?? "").slice(0, MAX_WHERE);
  const sentence = `a message (${where}) is not for this hub: ${error.message}`;
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
      if (cause instanceof HubError && cause.retry) return undefined;
      counters.rejected++;
      notice(`${sentence}; nor is its dead letter: ${(cause as Error).message}`);
      return "rejected";
    }
  }
  counters.rejected++;
  notice(sentence);
  return rule.onError === "skip" ? "rejected" : "kept";
}
