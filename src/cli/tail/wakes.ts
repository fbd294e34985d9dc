import { setTimeout as wait } from "node:timers/promises";
import type { Message } from "../../client/index.ts";
import type { MessageFilter } from "../../protocol/message-filter.ts";
import type { PlaceFile } from "./place.ts";

/** What a reader is woken with: one message, or several as one. */
export interface Wake {
  readonly newest: Message;
  /** How many came; undefined if each is given by itself. */
  readonly count?: number;
  /** Where they begin: what to give `read_messages` to read them all. */
  readonly after?: string | undefined;
  readonly next?: string | null | undefined;
}

export interface WakeOptions {
  /** Undefined if all messages are wanted. */
  readonly filter: MessageFilter | undefined;
  /** Messages from before that time, in milliseconds since 1970, are passed over. */
  readonly since: number | undefined;
  /** Milliseconds; older messages wake no one. */
  readonly maxAge: number | undefined;
  /** Whether what came meanwhile is given as one. */
  readonly coalesce: boolean;
  readonly budget: Budget | undefined;
}

/** At most so many wakes in so many milliseconds. */
export interface Budget {
  readonly wakes: number;
  readonly milliseconds: number;
}

/** Milliseconds without another message, after which those that came are given. */
const GATHER = 200;
/** Messages given as one. */
const MAX_GATHERED = 100_000;

/**
 * Gives wakes one after the other, in order: the next only when `give` has resolved, with true if it is done. Messages that
 * are passed over, and those that are done, move the place on; `place` is saved after each wake.
 */
export async function giveWakes(
  messages: AsyncIterable<Message>,
  place: PlaceFile | undefined,
  { filter, since, maxAge, coalesce, budget }: WakeOptions,
  give: (wake: Wake) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const given: number[] = [];
  const most = coalesce ? MAX_GATHERED : 1;
  let isEarly = since !== undefined;
  /** How far the reader has come with what is passed over, or taken and not given yet. */
  let reached = place?.cursor;
  let following = ahead(iterator);
  const isWanted = (message: Message): boolean => {
    isEarly &&= Date.parse(message.time) < (since ?? 0);
    return !isEarly && (filter?.(message, () => message.data) ?? true);
  };
  const take = (message: Message): void => {
    reached = message.id ?? reached;
    following = ahead(iterator);
  };
  for (;;) {
    const { value: first, done } = await following;
    if (done === true) return;
    const after = reached;
    if (!isWanted(first)) {
      take(first);
      place?.pass(reached);
      continue;
    }
    if (budget !== undefined && !(await affords(budget, given, signal))) return;
    let newest = first;
    let count = 1;
    take(first);
    while (count < most) {
      const late = new AbortController();
      const next = await Promise.race([following, wait(GATHER, undefined, { signal: late.signal }).catch(() => {})]);
      late.abort();
      if (next === undefined || next.done === true) break;
      if (isWanted(next.value)) {
        newest = next.value;
        count++;
      }
      take(next.value);
    }
    const isOld = maxAge !== undefined && Date.parse(newest.time) < Date.now() - maxAge;
    if (!isOld) {
      given.push(performance.now());
      const wake = coalesce ? { newest, count, after, next: reached } : { newest };
      if (!(await give(wake))) return;
    }
    place?.pass(reached);
    if (!isOld) place?.save();
    if (signal.aborted) return;
  }
}

/** The next message, asked for before it is awaited: why there is none is told to whoever awaits it. */
function ahead(iterator: AsyncIterator<Message>): Promise<IteratorResult<Message>> {
  const next = iterator.next();
  next.catch(() => {});
  return next;
}

/** Waits until one more wake is within the budget; false if it is stopped before. */
async function affords({ wakes, milliseconds }: Budget, given: number[], signal: AbortSignal): Promise<boolean> {
  for (;;) {
    while (given[0] !== undefined && given[0] <= performance.now() - milliseconds) given.shift();
    const oldest = given[0];
    if (oldest === undefined || given.length < wakes) return !signal.aborted;
    const left = oldest + milliseconds - performance.now();
    await wait(Math.min(left, 2 ** 31 - 1), undefined, { signal }).catch(() => {});
    if (signal.aborted) return false;
  }
}
