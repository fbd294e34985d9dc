import type { History } from "../core/history.ts";
import type { Hub } from "../core/hub.ts";
import { followPages } from "../core/follow-pages.ts";
import type { Message } from "../core/message.ts";
import { isCovered, isName, isServerChannel, type ChannelPattern } from "../protocol/channel.ts";
import { MAX_BATCH, PartlyRefusedError, type Outgoing, type Target } from "./bus.ts";
import type { BridgeWork } from "./context.ts";
import { gapMarker, outgoingOf } from "./outgoing.ts";
import type { OutRule } from "./rules.ts";

/** An `out` rule and where it sends. */
export interface Sending {
  readonly rule: OutRule;
  readonly target: Target;
  /** Whether each channel has a destination of its own. */
  readonly isByChannel: boolean;
  /** Why messages were refused before the connection was lost, by their ids. */
  readonly refused: Map<string, Error>;
}

/** The kind of the records with the places that bridges have sent up to. */
const PLACES = "bridge";
/** Milliseconds between two writes of that place. */
const SAVE_INTERVAL = 1000;
/** Channels of one rule whose destinations are told of a gap. */
const MAX_TOLD = 1000;

/**
 * Has a bridge that is new send what is published after this cursor, also what it cannot send for now, since the bus or
 * the server is down.
 */
export async function beginAt(cursor: string, { records, bridge }: BridgeWork): Promise<void> {
  await records.replace(PLACES, bridge, undefined, cursor);
}

/**
 * Sends what the hub has on the channels of these rules, from where this bridge was last, until the signal is aborted.
 * Rejects if the connection is lost, or if another node has gone on in the meantime.
 */
export async function send(
  sendings: readonly Sending[],
  prefix: string,
  work: BridgeWork,
  signal: AbortSignal,
  onBehind: (isBehind: boolean) => void,
): Promise<void> {
  const { hub, bridge } = work;
  const place = await Place.open(work);
  const channels = [...new Set(sendings.flatMap(({ rule }) => rule.channels))];
  try {
    const pages = followPages(hub, { channels, after: place.cursor, limit: MAX_BATCH, signal });
    // The next page is read while the bus confirms this one.
    for (let reading = ahead(pages); ;) {
      const { done, value: page } = await reading;
      if (done === true || signal.aborted) break;
      reading = ahead(pages);
      onBehind(page.more);
      if (page.gap !== undefined) await sendGap(page.gap, sendings, prefix, work);
      const messages = page.messages.filter(
        ({ channel, via }) => !isServerChannel(channel) && via !== `bridge:${bridge}`,
      );
      if (messages.length > 0) await Promise.all(sendings.map((each) => sendPage(messages, each, prefix, work)));
      await place.moveTo(page.next);
    }
  } finally {
    // If it cannot be saved, what was sent since is sent again.
    await place.save().catch(() => {});
  }
}

/** A read whose failure is seen when it is waited for. */
function ahead(pages: AsyncGenerator<History, void>): Promise<IteratorResult<History, void>> {
  const reading = pages.next();
  reading.catch(() => {});
  return reading;
}

async function sendPage(
  messages: readonly Message[],
  { rule, target, refused }: Sending,
  prefix: string,
  work: BridgeWork,
): Promise<void> {
  const own = messages.filter(({ channel }) => isCovered(rule.channels, channel));
  if (own.length === 0) return;
  const outgoing = own.map((message) => outgoingOf(message, rule, prefix, work));
  const errors = await sendLeft(outgoing, target, refused);
  for (const { id } of outgoing) {
    const error = errors.get(id);
    if (error === undefined) {
      work.counters.sent++;
      continue;
    }
    work.counters.refused++;
    work.notice(`message ${id} was refused: ${error.message}`);
  }
}

/** Sends all but those that were refused before; resolves with every refusal, by the id of the message. */
async function sendLeft(
  outgoing: readonly Outgoing[],
  target: Target,
  refused: Map<string, Error>,
): Promise<ReadonlyMap<string, Error>> {
  const left = refused.size === 0 ? outgoing : outgoing.filter(({ id }) => !refused.has(id));
  const note = (errors: readonly (Error | undefined)[]): void => {
    for (const [index, { id }] of left.entries()) if (errors[index] !== undefined) refused.set(id, errors[index]);
  };
  try {
    if (left.length > 0) note(await target.send(left));
  } catch (error) {
    if (error instanceof PartlyRefusedError) note(error.refusals);
    throw error;
  }
  const all = new Map(refused);
  refused.clear();
  return all;
}

/**
 * Tells the bus that messages are missing: each destination of a rule, one page after the other. Not if the rule sends
 * payloads alone, of which the marker would be one more.
 */
async function sendGap(
  gap: NonNullable<History["gap"]>,
  sendings: readonly Sending[],
  prefix: string,
  work: BridgeWork,
): Promise<void> {
  work.notice(`messages are missing after ${gap.after}: ${gap.reason}; it goes on after ${gap.resumed}`);
  for (const { rule, target, isByChannel } of sendings) {
    if (rule.format === "raw") continue;
    const channels = isByChannel ? channelsOf(rule, work.hub) : [rule.channels.find(isName) ?? "hub"];
    const markers = channels.map((channel) => gapMarker(gap, channel, rule, prefix, work));
    for (let from = 0; from < markers.length; from += MAX_BATCH) {
      const some = markers.slice(from, from + MAX_BATCH);
      const refused = (await target.send(some)).filter((error) => error !== undefined);
      work.counters.gaps += some.length - refused.length;
      for (const { message } of refused) work.notice(`a marker of missing messages was refused: ${message}`);
    }
  }
}

/** The channels that a rule names, and those that the hub knows of its patterns. */
function channelsOf({ channels }: OutRule, hub: Hub): readonly string[] {
  const named = (each: ChannelPattern): readonly string[] =>
    isName(each) ? [each] : hub.channels({ pattern: each, limit: MAX_TOLD }).map(({ channel }) => channel);
  return [...new Set(channels.flatMap(named))].filter((channel) => !isServerChannel(channel)).slice(0, MAX_TOLD);
}

/** How far a bridge has sent: a record that only one node may move. */
class Place {
  readonly #work: BridgeWork;
  #saved: string;
  #savedAt = 0;
  cursor: string;

  private constructor(work: BridgeWork, saved: string) {
    this.#work = work;
    this.#saved = saved;
    this.cursor = saved;
  }

  static async open(work: BridgeWork): Promise<Place> {
    const saved = await work.records.get(PLACES, work.bridge);
    if (saved === undefined) throw new Error("the position of this bridge was deleted");
    return new Place(work, saved);
  }

  async moveTo(cursor: string): Promise<void> {
    this.cursor = cursor;
    if (performance.now() - this.#savedAt >= SAVE_INTERVAL) await this.save();
  }

  async save(): Promise<void> {
    const { records, bridge } = this.#work;
    if (this.cursor === this.#saved) return;
    if (!(await records.replace(PLACES, bridge, this.#saved, this.cursor))) {
      throw new Error("another node sends for this bridge");
    }
    this.#saved = this.cursor;
    this.#savedAt = performance.now();
  }
}
