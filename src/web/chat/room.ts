import type { Hub, Message, Receipt, Subscription } from "../../client/index.ts";
import { Refusal } from "../shared/ask-server.ts";
import { Annotations } from "./annotations.ts";
import { messageOf, pageAfter, pageBefore, type Page } from "./history.ts";
import { entryOf, gapEntry, Timeline, type Entry } from "./timeline.ts";

/** Messages asked for at once. */
const PAGE = 50;
/** Milliseconds after which what failed is asked for again. */
const RETRY_DELAY = 2000;

export interface RoomOptions {
  readonly channel: string;
  readonly hub: Hub;
  /** A message came: the receipt, if it is one of ours. */
  readonly claim: (message: Message) => Receipt | undefined;
  /** The last message that was read before. */
  readonly mark: string | undefined;
  /** Messages were added. */
  readonly shown: () => void;
  /** Something is to be rendered. */
  readonly changed: () => void;
  /** A message is in the page, or was. */
  readonly heard: (message: Message) => void;
  /** The message to begin with; without it, the newest. */
  readonly at: string | undefined;
}

/** One channel being read: its last messages, those that come, and others when they are asked for. */
export class Room {
  readonly timeline: Timeline;
  readonly annotations: Annotations = new Annotations();
  /** What stands before the first message, in place of a button. */
  topNote = "Loading…";
  /** What stands after the last message. */
  bottomNote = "";
  isLoading = false;
  /** Whether what is added now is not to be read out. */
  isQuiet = true;
  /** The place after the page that was shown first: read, if nothing was in it. */
  start: string | undefined;
  readonly #options: RoomOptions;
  readonly #closing = new AbortController();
  #subscription: Subscription | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.timeline = new Timeline(options.changed);
    void (options.at === undefined ? this.open() : this.openAt(options.at));
  }

  get channel(): string {
    return this.#options.channel;
  }

  /** Shows the newest messages, and from then on what comes. */
  async open(): Promise<void> {
    this.#begin();
    const page = await this.#lastPage();
    if (page === undefined) return;
    this.isQuiet = true;
    this.timeline.clear();
    this.timeline.hasOlder = (page.earlier ?? null) !== null;
    this.start = page.next;
    this.timeline.append(withMark(this.#entries(page.messages), this.#options.mark));
    this.#read(page.next);
  }

  /** Shows a message among those around it. */
  async openAt(id: string): Promise<void> {
    if (this.timeline.has(id)) return this.timeline.goTo(id);
    this.#begin();
    const { channel } = this;
    const { signal } = this.#closing;
    try {
      const [before, message, after, last] = await Promise.all([
        pageBefore(channel, id, PAGE / 2, signal),
        messageOf(channel, id, signal),
        pageAfter(channel, id, PAGE / 2, signal),
        pageBefore(channel, "latest", 1, signal),
      ]);
      this.isQuiet = true;
      this.timeline.clear();
      this.timeline.append(this.#entries([...before.messages, message, ...after.messages]));
      this.timeline.hasOlder = (before.earlier ?? null) !== null;
      this.timeline.isCutOff = after.more;
      this.start = last.next;
      this.timeline.goTo(id);
      this.#read(after.more ? last.next : after.next);
    } catch (error) {
      if (signal.aborted) return;
      await this.open();
      this.bottomNote = (error as Refusal).final
        ? "The message that the address names is not kept here any more; these are the newest."
        : (error as Error).message;
      this.#options.changed();
    }
  }

  #begin(): void {
    this.#subscription?.close();
    this.start = undefined;
    this.topNote = "Loading…";
    this.bottomNote = "";
    this.isQuiet = true;
    this.timeline.clear();
  }

  /** Whether it is known that nothing is kept, and nothing has come. */
  get isEmpty(): boolean {
    const { entries, hasOlder } = this.timeline;
    return this.start !== undefined && entries.length === 0 && !hasOlder;
  }

  close(): void {
    this.#closing.abort();
    this.#subscription?.close();
  }

  loadEarlier(): Promise<void> {
    return this.#load(
      () => this.#earlier(),
      (sentence) => (this.topNote = sentence),
    );
  }

  loadLater(): Promise<void> {
    return this.#load(
      () => this.#later(),
      (sentence) => (this.bottomNote = sentence),
    );
  }

  /** One at a time; `fail` takes what is said if it cannot be done. */
  async #load(load: () => Promise<void>, fail: (sentence: string) => void): Promise<void> {
    if (this.isLoading) return;
    this.isLoading = true;
    this.#options.changed();
    try {
      await load();
    } catch (error) {
      if (!this.#closing.signal.aborted) fail((error as Error).message);
    } finally {
      this.isLoading = false;
      this.#options.changed();
    }
  }

  async #earlier(): Promise<void> {
    const { oldest } = this.timeline;
    if (oldest === undefined) return;
    try {
      const page = await pageBefore(this.channel, oldest, PAGE, this.#closing.signal);
      if (this.timeline.oldest !== oldest) return;
      this.timeline.hasOlder = (page.earlier ?? null) !== null;
      this.isQuiet = true;
      this.timeline.prepend(this.#entries(page.messages));
      this.#settleNotes();
    } catch (error) {
      if (!(error instanceof Refusal && error.final)) throw error;
      // Its place is unknown: another log has taken over.
      this.timeline.hasOlder = false;
      throw new Error("What came before is no longer kept.", { cause: error });
    }
  }

  async #later(): Promise<void> {
    const { newest } = this.timeline;
    if (newest === undefined) return this.open();
    const { messages, gap, more, next } = await pageAfter(this.channel, newest, PAGE, this.#closing.signal);
    if (this.timeline.newest !== newest || !this.timeline.isCutOff) return;
    // Another log has taken over, and nothing says what of it comes next.
    if (gap?.reason === "unknown_cursor") return this.open();
    const entries = this.#entries(messages);
    if (gap !== null) entries.unshift(gapEntry(gap));
    this.isQuiet = true;
    this.timeline.extend(entries, more);
    this.bottomNote = "";
    if (more) return;
    this.#subscription?.close();
    this.#read(next);
  }

  #read(after: string): void {
    const { hub, channel, claim, shown } = this.#options;
    this.#settleNotes();
    shown();
    // A hub that is closed is said elsewhere; what is kept can be read all the same.
    if (hub.state.kind === "closed") return;
    this.#subscription = hub.subscribe([channel], {
      after,
      onMessage: (message) => {
        this.#hear(message);
        this.#append(entryOf(message, claim(message)));
      },
      onGap: (gap) => {
        this.#append(gapEntry(gap));
        // The new log goes on from now; what it has kept until now is to be fetched.
        if (gap.reason === "unknown_cursor") void this.#catchUp();
      },
      onEnd: (error) => {
        if (error === undefined || hub.state.kind === "closed") return;
        this.topNote = error.message;
        this.#options.changed();
      },
    });
  }

  #hear(message: Message): void {
    this.annotations.hear(message);
    this.#options.heard(message);
  }

  #entries(messages: readonly Message[]): Entry[] {
    return messages.map((message) => {
      this.#hear(message);
      return entryOf(message);
    });
  }

  #append(entry: Entry): void {
    this.timeline.append([entry]);
    this.#settleNotes();
    this.#options.shown();
  }

  #settleNotes(): void {
    const { hasOlder, isCutOff, entries } = this.timeline;
    const isEmpty = entries.length === 0;
    this.topNote = hasOlder
      ? ""
      : isEmpty
        ? `Nothing is kept in ${this.channel} yet.`
        : "The beginning of what is kept.";
    if (!isCutOff) this.bottomNote = "";
  }

  async #catchUp(): Promise<void> {
    this.#subscription?.close();
    const page = await this.#lastPage();
    if (page === undefined) return;
    this.timeline.append(this.#entries(page.messages));
    this.#read(page.next);
  }

  /** The newest messages, however often they have to be asked for; undefined if that is of no use, or no longer wanted. */
  async #lastPage(): Promise<Page | undefined> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        return await pageBefore(this.channel, "latest", PAGE, signal);
      } catch (error) {
        if (signal.aborted) break;
        this.topNote = (error as Error).message;
        this.#options.changed();
        if ((error as Refusal).final) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
      }
    }
    return undefined;
  }
}

/** Entries with a line after the last that was read, if there are newer ones. */
function withMark(entries: readonly Entry[], mark: string | undefined): readonly Entry[] {
  const last = entries.findIndex(({ key }) => key === mark);
  if (last === -1 || last === entries.length - 1) return entries;
  return [...entries.slice(0, last + 1), { kind: "new", key: "new" }, ...entries.slice(last + 1)];
}
