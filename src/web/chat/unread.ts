import type { Hub, Message, Subscription } from "../../client/index.ts";
import { Stored } from "../shared/stored.ts";
import { pageAfter } from "./history.ts";
import { mentions } from "../shared/mentions.ts";
import { isSaid, textIn } from "./relation.ts";

/** Ids are remembered up to here; more are "99+". */
const MAX_COUNT = 100;

export interface UnreadOptions {
  /** Something is to be rendered. */
  readonly changed: () => void;
  /** A message came on one of the channels. */
  readonly heard: (message: Message) => void;
  /** What the person is called; empty if no name was given. */
  readonly name: () => string;
}

/** What was not read yet in some channels, over closing the page: ids, so that a message that comes twice counts once. */
export class Unread {
  readonly #hub: Hub;
  readonly #options: UnreadOptions;
  /** Those that mention the person. */
  readonly #mentions = new Map<string, Set<string>>();
  readonly #ids = new Map<string, Set<string>>();
  readonly #subscriptions = new Map<string, Subscription>();
  /** The last message that was read here, by channel: storing is slow, and what is in sight is looked at often. */
  readonly #read: Record<string, string> = {};
  /** The same of all tabs, over closing the page. */
  readonly #marks = new Stored("chat.marks", marksIn);

  constructor(hub: Hub, options: UnreadOptions) {
    this.#hub = hub;
    this.#options = options;
    let known = this.#marks.get();
    this.#marks.onChange((marks) => {
      // What was read in another tab is read.
      for (const channel of this.#subscriptions.keys()) if (marks[channel] !== known[channel]) this.#forget(channel);
      known = marks;
      this.#options.changed();
    });
  }

  count(channel: string): number {
    return this.#ids.get(channel)?.size ?? 0;
  }

  /** How many of them mention the person. */
  mentions(channel: string): number {
    return this.#mentions.get(channel)?.size ?? 0;
  }

  get total(): number {
    return [...this.#ids.values()].reduce((sum, { size }) => sum + size, 0);
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
      this.#forget(channel);
    }
    for (const channel of channels) if (!this.#subscriptions.has(channel)) this.#begin(channel);
    this.#options.changed();
  }

  /** Everything up to this message has been read. */
  read(channel: string, id: string): void {
    if (this.#read[channel] !== id) this.#marks.set({ ...this.#marks.get(), [channel]: id });
    this.#read[channel] = id;
    if (this.#forget(channel)) this.#options.changed();
  }

  #forget(channel: string): boolean {
    this.#mentions.delete(channel);
    return this.#ids.delete(channel);
  }

  #begin(channel: string): void {
    if (this.#hub.state.kind === "closed") return;
    const subscription = this.#hub.subscribe([channel], {
      onMessage: (message) => {
        this.#add(channel, message);
        this.#options.heard(message);
      },
      onGap: () => void this.#countKept(channel),
    });
    this.#subscriptions.set(channel, subscription);
    // What comes from now on is counted live; whether it is in the page of what is kept as well makes no difference.
    subscription.ready.then(() => this.#countKept(channel)).catch(() => {});
  }

  async #countKept(channel: string): Promise<void> {
    const mark = this.mark(channel);
    if (mark === undefined) return;
    const page = await pageAfter(channel, mark, MAX_COUNT).catch(() => undefined);
    // It may have been read while the page was on its way.
    if (page === undefined || this.mark(channel) !== mark) return;
    for (const message of page.messages) this.#add(channel, message);
  }

  #add(channel: string, message: Message): void {
    const { id } = message;
    const ids = this.#ids.get(channel) ?? new Set();
    if (id === null || !isSaid(message) || ids.size >= MAX_COUNT || !this.#subscriptions.has(channel)) return;
    this.#ids.set(channel, ids.add(id));
    if (mentions(textIn(message), this.#options.name())) {
      this.#mentions.set(channel, (this.#mentions.get(channel) ?? new Set()).add(id));
    }
    this.#options.changed();
  }
}

/** A count as it is shown; beyond 99 no one counts. */
export function countText(count: number): string {
  return count >= MAX_COUNT ? "99+" : String(count);
}

function marksIn(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, mark]) => typeof mark === "string"));
}
