import type { Hub, Subscription } from "../../client/index.ts";
import { pageAfter } from "./history.ts";
import { Stored } from "../shared/stored.ts";
import { Unread } from "./unread.ts";

/** Messages counted of what came while nobody looked. */
const COUNTED = 100;

/** What was not read in the channels of the person, over closing the page. */
export class Watch {
  readonly unread: Unread = new Unread();
  readonly #hub: Hub;
  readonly #changed: () => void;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The last message that was read here, by channel: storing is slow, and what is in sight is looked at often. */
  readonly #read: Record<string, string> = {};
  /** The same of all tabs, over closing the page. */
  readonly #marks = new Stored("chat.marks", marksIn);

  constructor(hub: Hub, changed: () => void) {
    this.#hub = hub;
    this.#changed = changed;
    let known = this.#marks.get();
    this.#marks.onChange((marks) => {
      // What was read in another tab is read.
      for (const channel of this.#subscriptions.keys()) {
        if (marks[channel] !== known[channel]) this.unread.clear(channel);
      }
      known = marks;
      this.#changed();
    });
  }

  /** The last message of a channel that was read. */
  mark(channel: string): string | undefined {
    return this.#marks.get()[channel];
  }

  /** Watches these channels and no others. */
  follow(channels: readonly string[]): void {
    for (const [channel, subscription] of this.#subscriptions) {
      if (channels.includes(channel)) continue;
      subscription.close();
      this.#subscriptions.delete(channel);
      this.unread.clear(channel);
    }
    for (const channel of channels) if (!this.#subscriptions.has(channel)) this.#begin(channel);
    this.#changed();
  }

  /** Everything up to this message has been read. */
  read(channel: string, id: string): void {
    if (this.#read[channel] !== id) this.#marks.set({ ...this.#marks.get(), [channel]: id });
    this.#read[channel] = id;
    if (this.unread.count(channel) === 0) return;
    this.unread.clear(channel);
    this.#changed();
  }

  #begin(channel: string): void {
    if (this.#hub.state.kind === "closed") return;
    const subscription = this.#hub.subscribe([channel], {
      onMessage: (message) => {
        if (message.id === null) return;
        this.unread.add(channel, message.id);
        this.#changed();
      },
      onGap: () => void this.#count(channel),
    });
    this.#subscriptions.set(channel, subscription);
    // What comes from now on is counted live; whether it is in the page as well makes no difference.
    subscription.ready.then(() => this.#count(channel)).catch(() => {});
  }

  async #count(channel: string): Promise<void> {
    const mark = this.#marks.get()[channel];
    if (mark === undefined) return;
    const page = await pageAfter(channel, mark, COUNTED).catch(() => undefined);
    // It may have been read while the page was on its way.
    if (page === undefined || this.#marks.get()[channel] !== mark) return;
    for (const { id } of page.messages) if (id !== null) this.unread.add(channel, id);
    this.#changed();
  }
}

function marksIn(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  const marks: Record<string, string> = {};
  for (const [channel, mark] of Object.entries(value)) if (typeof mark === "string") marks[channel] = mark;
  return marks;
}
