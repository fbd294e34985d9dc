import { HubError } from "../../core/errors.ts";
import { followPages } from "../../core/follow-pages.ts";
import type { Message } from "../../core/message.ts";
import { deliver, pendingGap, type DispatchContext } from "./delivery.ts";
import { Progress, type Attempt, type Pending, type PendingGap } from "./progress.ts";
import { askedWait, isUnready, isUnwanted, NOT_READY, retriedFor, waitAfter } from "./retry.ts";
import { isWanted, type Suspension, type Webhook } from "./webhook.ts";

/** Messages of one webhook that were read and not delivered; no more are read until there is room. */
const MAX_PENDING = 64;
/** How many of those may be sent for the first time. */
const MAX_NEW = 8;
/** Messages in one page of the log. */
const PAGE = 8;
/** Tries that fail one after the other before no new messages are read. */
const FAILING = 3;
/** Milliseconds for which a page is held while there is no room for its messages. */
const ROOM_TIMEOUT = 1000;
/** Milliseconds for which progress may go unnoted. */
const SAVE_AFTER = 1000;
/** The status that ends a webhook. */
const GONE = 410;

/**
 * Sends the messages of one webhook: each at least once, up to eight at a time, and again later if that fails. What waits
 * to be sent again is only remembered by its id, so that a destination that is down holds no messages.
 */
export class Dispatcher {
  #webhook: Webhook;
  readonly #url: URL;
  readonly #context: DispatchContext;
  readonly #end = new AbortController();
  /** Timers of messages that wait to be tried again. */
  readonly #waiting = new Map<Pending, () => void>();
  readonly #active = new Set<Promise<void>>();
  #new = 0;
  #failures = 0;
  /** When the destination wants to be asked again. */
  #pausedUntil = 0;
  #onRoom: () => void = () => {};
  #saving: Promise<void> | undefined;
  #saveLater: (() => void) | undefined;
  #isSuspended = false;

  constructor(webhook: Webhook, context: DispatchContext) {
    this.#webhook = webhook;
    this.#url = new URL(webhook.url);
    this.#context = context;
  }

  /** Sends until it is stopped, the webhook is suspended, or another node sends it. */
  async run(holder: string): Promise<void> {
    const { records, clock } = this.#context;
    const progress = await Progress.claim(records, this.#webhook, holder);
    try {
      for (const item of progress.record.pending) this.#wait(progress, item, Math.max(item.due - clock.now(), 0));
      while (!this.#end.signal.aborted) {
        await this.#room(Infinity);
        if (!this.#end.signal.aborted) await this.#read(progress);
      }
    } catch (error) {
      // The log cannot be read: whoever runs this tries again.
      if (!this.#end.signal.aborted) throw error;
    } finally {
      this.#end.abort();
      for (const cancel of this.#waiting.values()) cancel();
      this.#waiting.clear();
      await Promise.all(this.#active);
      this.#saveLater?.();
      await this.#saving;
      await progress.save().catch(() => false);
    }
  }

  /** Goes on with what has changed of the webhook without a difference to what is sent. */
  update(webhook: Webhook): void {
    this.#webhook = webhook;
  }

  stop(): void {
    this.#end.abort();
    this.#onRoom();
  }

  /** Reads on from where it is, until there is no room for a message for a while: then its page is let go. */
  async #read(progress: Progress): Promise<void> {
    const { hub } = this.#context;
    const { channels } = this.#webhook;
    const { signal } = this.#end;
    const { record } = progress;
    for await (const page of followPages(hub, { channels, after: record.read, limit: PAGE, signal })) {
      if (page.gap !== undefined) {
        if (!(await this.#room(ROOM_TIMEOUT))) return;
        this.#begin(progress, { id: page.gap.resumed, gap: pendingGap(page.gap), tries: 0, due: 0 }, undefined);
        record.read = page.gap.resumed;
      }
      for (const message of page.messages) {
        if (!isWanted(this.#webhook, message)) continue;
        const id = hub.idOf(message);
        if (id === undefined) continue;
        if (!(await this.#room(ROOM_TIMEOUT))) return;
        record.read = id;
        this.#begin(progress, { id, tries: 0, due: 0 }, message);
      }
      record.read = page.next;
      this.#saveSoon(progress);
    }
  }

  /** Whether another message may be taken up, after so many milliseconds at most. */
  async #room(patience: number): Promise<boolean> {
    const { clock } = this.#context;
    const end = { isOver: false };
    const cancel =
      patience === Infinity
        ? () => {}
        : clock.after(patience, () => {
            end.isOver = true;
            this.#onRoom();
          });
    while (!this.#hasRoom() && !end.isOver && !this.#end.signal.aborted) {
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
    }
    cancel();
    return this.#hasRoom() && !this.#end.signal.aborted;
  }

  #hasRoom(): boolean {
    const waiting = this.#waiting.size;
    if (this.#new >= MAX_NEW || waiting + this.#active.size >= MAX_PENDING) return false;
    // Without one that waits, nothing would ever succeed again.
    return (
      waiting + this.#active.size === 0 || (this.#failures < FAILING && this.#pausedUntil <= this.#context.clock.now())
    );
  }

  #begin(progress: Progress, item: Pending, message: Message | undefined): void {
    progress.record.pending.push(item);
    this.#new++;
    this.#try(progress, item, message, () => this.#new--);
  }

  #wait(progress: Progress, item: Pending, milliseconds: number): void {
    const cancel = this.#context.clock.after(milliseconds, () => {
      this.#waiting.delete(item);
      this.#try(progress, item, undefined, () => {});
    });
    this.#waiting.set(item, cancel);
  }

  #try(progress: Progress, item: Pending, message: Message | undefined, onDone: () => void): void {
    const trying = this.#deliver(progress, item, message)
      .catch((error: unknown) => this.#unread(progress, item, error))
      .finally(() => {
        this.#active.delete(trying);
        onDone();
        this.#onRoom();
      });
    this.#active.add(trying);
  }

  async #deliver(progress: Progress, item: Pending, message: Message | undefined): Promise<void> {
    const { clock, destinations, hub, lapse } = this.#context;
    const { signal } = this.#end;
    const leave = await destinations.enter(this.#url.host, this.#webhook.owner?.id, signal);
    try {
      if (lapse(this.#webhook) !== undefined) return await this.#suspend(progress, "credential");
      const begun = clock.now();
      const since = item.since ?? begun;
      const cursor = progress.cursorAfter(item, hub);
      const tried = await deliver(item, { since, message, cursor }, this.#webhook, this.#context, signal);
      if (tried === undefined) return;
      // It does not count as a try.
      if (isUnready(this.#webhook, tried.made.status, begun)) return this.#wait(progress, item, NOT_READY);
      item.since = since;
      item.tries++;
      const made = { ...tried.made, attempt: item.tries };
      if (tried.isTaken) this.#succeeded(progress, item, made);
      else await this.#failed(progress, item, made, tried.retryAfter);
    } finally {
      leave();
    }
  }

  #succeeded(progress: Progress, item: Pending, made: Omit<Attempt, "outcome">): void {
    const { counters, clock, random } = this.#context;
    const { record } = progress;
    counters.delivered++;
    record.delivered++;
    record.lastSuccess = clock.now();
    this.#failures = 0;
    progress.addAttempt({ ...made, outcome: "delivered" });
    progress.done(item);
    if (record.failingSince !== undefined) {
      delete record.failingSince;
      // It is back: what waits for another try need not wait as long as it was to.
      for (const [waiting, cancel] of this.#waiting) {
        cancel();
        this.#wait(progress, waiting, waitAfter(1, random));
      }
    }
    this.#saveSoon(progress);
  }

  async #failed(
    progress: Progress,
    item: Pending,
    made: Omit<Attempt, "outcome">,
    retryAfter: string | undefined,
  ): Promise<void> {
    const { counters, clock, random, log } = this.#context;
    const { record } = progress;
    const { mcp } = this.#webhook;
    const time = clock.now();
    if (mcp !== undefined && isUnwanted(made.status)) {
      progress.addAttempt({ ...made, outcome: "given_up" });
      progress.done(item);
      return this.#saveSoon(progress);
    }
    counters.failed++;
    this.#failures++;
    record.failingSince ??= made.time;
    if (made.status === GONE) {
      progress.addAttempt({ ...made, outcome: "failed" });
      return this.#suspend(progress, "gone");
    }
    const since = item.since ?? time;
    const isOther = (record.lastSuccess ?? -1) >= since;
    const isLast = time - since >= retriedFor(this.#webhook, isOther);
    progress.addAttempt({ ...made, outcome: isLast ? "given_up" : "failed" });
    if (!isLast) {
      const asked = askedWait(retryAfter, time);
      if (asked > 0) this.#pausedUntil = Math.max(this.#pausedUntil, time + asked);
      const wait = Math.max(waitAfter(item.tries, random), this.#pausedUntil - time);
      item.due = time + wait;
      if (!this.#end.signal.aborted) this.#wait(progress, item, wait);
      return this.#saveSoon(progress);
    }
    // If nothing at all was taken meanwhile, it is not the message that is wrong.
    if (!isOther) return this.#suspend(progress, "failures");
    counters.givenUp++;
    progress.done(item);
    log.warn({ webhook: this.#webhook.id, message: item.id, tries: item.tries }, "a message of a webhook was given up");
    if (mcp !== undefined && item.gap === undefined) {
      // An MCP client does not see what it did not take.
      const gap: PendingGap = { reason: "expired", after: item.id, resumed: item.id };
      this.#begin(progress, { id: item.id, gap, tries: 0, due: 0 }, undefined);
    }
    this.#saveSoon(progress);
  }

  /** The log cannot be read, or says that the message is not to be had: it is tried again. */
  #unread(progress: Progress, item: Pending, error: unknown): void {
    if (this.#end.signal.aborted) return;
    const { log, random } = this.#context;
    if (!(error instanceof HubError)) log.warn({ webhook: this.#webhook.id, err: error }, "a delivery failed here");
    this.#wait(progress, item, waitAfter(Math.max(item.tries, 1), random));
  }

  /** Everything that is pending is tried again when it goes on. */
  async #suspend(progress: Progress, reason: Suspension["reason"]): Promise<void> {
    if (this.#isSuspended) return;
    this.#isSuspended = true;
    for (const item of progress.record.pending) {
      item.tries = 0;
      item.due = 0;
      delete item.since;
    }
    this.stop();
    await progress.save().catch(() => false);
    await this.#context.suspend(this.#webhook, reason);
  }

  /** Has the progress saved soon. */
  #saveSoon(progress: Progress): void {
    if (this.#saveLater !== undefined || this.#end.signal.aborted) return;
    this.#saveLater = this.#context.clock.after(SAVE_AFTER, () => {
      this.#saveLater = undefined;
      this.#saving = this.#save(progress).finally(() => (this.#saving = undefined));
    });
  }

  async #save(progress: Progress): Promise<void> {
    try {
      if (!(await progress.save())) this.stop();
    } catch {
      // The log is away; what was delivered since is noted when it is back, or delivered again.
      this.#saveSoon(progress);
    }
  }
}
