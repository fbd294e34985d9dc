import type { Gap, Hub, Message, Receipt, Subscription } from "../../client/index.ts";
import { element } from "../page.ts";
import { Edge } from "./edge.ts";
import { pageAfter, pageBefore, Refusal, type Page } from "./history.ts";
import type { Entry } from "./rows.ts";
import type { Timeline } from "./timeline.ts";

/** Messages asked for at once. */
const PAGE = 50;
/** Milliseconds after which what failed is asked for again. */
const AGAIN = 2000;
/** Milliseconds between two looks at what came, while nobody sees the page: then there are no frames. */
const UNSEEN = 250;

export interface RoomOptions {
  readonly channel: string;
  readonly hub: Hub;
  readonly timeline: Timeline;
  /** A message came: whether it is one of ours, and with which receipt. */
  readonly claim: (message: Message) => Receipt | undefined;
  /** The last message that was read before. */
  readonly mark: string | undefined;
  /** Messages were added. */
  readonly shown: () => void;
}

/** One channel being read: its last messages, those that come, and others when they are asked for. */
export class Room {
  readonly #options: RoomOptions;
  readonly #log = element("log", HTMLElement);
  readonly #closing = new AbortController();
  readonly #top: Edge;
  readonly #bottom: Edge;
  /** Behind the page that was shown first: read, where nothing was in it. */
  start: string | undefined;
  #subscription: Subscription | undefined;
  #queue: Entry[] = [];
  #isDue = false;

  constructor(options: RoomOptions) {
    this.#options = options;
    const { signal } = this.#closing;
    this.#top = new Edge("earlier", "note", () => this.#loadEarlier(), signal);
    this.#bottom = new Edge("later", "later-note", () => this.#loadLater(), signal);
    void this.open();
  }

  /** Shows the newest messages, and from then on what comes. */
  async open(): Promise<void> {
    const { timeline } = this.#options;
    this.#subscription?.close();
    this.start = undefined;
    timeline.clear();
    this.#top.show(false);
    this.#bottom.show(false);
    this.#bottom.tell("");
    this.#top.tell("Loading…");
    const page = await this.#lastPage();
    if (page === undefined) return;
    timeline.clear();
    timeline.hasOlder = (page.earlier ?? null) !== null;
    this.start = page.next;
    this.#quietly(() => timeline.append(withMark(page.messages.map(entryOf), this.#options.mark)));
    this.#read(page.next);
  }

  /** Says what is in front of the first row, and behind the last. */
  showEdges(): void {
    const { timeline, channel } = this.#options;
    const { hasOlder, isCutOff, isEmpty } = timeline;
    this.#top.show(hasOlder);
    this.#bottom.show(isCutOff);
    this.#top.tell(hasOlder ? "" : isEmpty ? `Nothing is kept in ${channel} yet.` : "The beginning of what is kept.");
    if (!isCutOff) this.#bottom.tell("");
  }

  close(): void {
    this.#closing.abort();
    this.#subscription?.close();
  }

  async #loadEarlier(): Promise<void> {
    const { channel, timeline } = this.#options;
    const { oldest } = timeline;
    if (oldest === undefined) return;
    try {
      const page = await pageBefore(channel, oldest, PAGE, this.#closing.signal);
      if (timeline.oldest !== oldest) return;
      timeline.hasOlder = (page.earlier ?? null) !== null;
      this.#quietly(() => timeline.prepend(page.messages));
      this.showEdges();
    } catch (error) {
      if (!(error instanceof Refusal && error.final)) throw error;
      // Its place is unknown: another log has taken over.
      timeline.hasOlder = false;
      this.#top.show(false);
      throw new Error("What came before is no longer kept.", { cause: error });
    }
  }

  async #loadLater(): Promise<void> {
    const { channel, timeline } = this.#options;
    const { newest } = timeline;
    if (newest === undefined) return this.open();
    const { messages, gap, more, next } = await pageAfter(channel, newest, PAGE, this.#closing.signal);
    if (timeline.newest !== newest || !timeline.isCutOff) return;
    // Another log has taken over, and nothing says what of it comes next.
    if (gap?.reason === "unknown_cursor") return this.open();
    const entries: Entry[] = messages.map(entryOf);
    if (gap !== null) entries.unshift({ kind: "gap", gap });
    // What is due is behind the page or in it; in the first case it is read again from there, in order.
    this.#flush();
    this.#quietly(() => timeline.extend(entries, more));
    this.#bottom.tell("");
    if (more) this.showEdges();
    else {
      this.#subscription?.close();
      this.#read(next);
    }
  }

  #read(after: string): void {
    const { hub, channel, claim, shown } = this.#options;
    this.showEdges();
    shown();
    // Then the page says so; what is kept can be read all the same.
    if (hub.state.kind === "closed") return;
    this.#subscription = hub.subscribe([channel], {
      after,
      onMessage: (message) => this.#queueUp({ kind: "message", message, receipt: claim(message) }),
      onGap: (gap) => this.#gap(gap),
      onEnd: (error) => {
        if (error !== undefined && hub.state.kind !== "closed") this.#top.tell(error.message);
      },
    });
  }

  #gap(gap: Gap): void {
    this.#queueUp({ kind: "gap", gap });
    // The new log goes on from now; what it has kept until now is to be fetched.
    if (gap.reason === "unknown_cursor") void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#subscription?.close();
    const page = await this.#lastPage();
    if (page === undefined) return;
    this.#flush();
    this.#options.timeline.append(page.messages.map(entryOf));
    this.#read(page.next);
  }

  /** The newest messages, however often they have to be asked for; undefined where nobody wants them any more. */
  async #lastPage(): Promise<Page | undefined> {
    const { signal } = this.#closing;
    for (;;) {
      try {
        return await pageBefore(this.#options.channel, "latest", PAGE, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#top.tell((error as Error).message);
        if ((error as Refusal).final) return undefined;
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
        if (signal.aborted) return undefined;
      }
    }
  }

  /** Shows what came with the next frame, so that a flood is laid out once for each. */
  #queueUp(entry: Entry): void {
    this.#queue.push(entry);
    if (this.#isDue) return;
    this.#isDue = true;
    if (document.hidden) setTimeout(() => this.#flush(), UNSEEN);
    else requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    this.#isDue = false;
    const entries = this.#queue;
    this.#queue = [];
    if (this.#closing.signal.aborted || entries.length === 0) return;
    this.#options.timeline.append(entries);
    this.#options.shown();
    this.showEdges();
  }

  /** What is not new is not to be read out. */
  #quietly(change: () => void): void {
    this.#log.ariaLive = "off";
    change();
    requestAnimationFrame(() => (this.#log.ariaLive = "polite"));
  }
}

function entryOf(message: Message): Entry {
  return { kind: "message", message };
}

/** Entries with a line behind the last that was read, where there are newer ones. */
function withMark(entries: readonly Entry[], mark: string | undefined): readonly Entry[] {
  const last = entries.findIndex((entry) => entry.kind === "message" && entry.message.id === mark);
  if (mark === undefined || last === -1 || last === entries.length - 1) return entries;
  return [...entries.slice(0, last + 1), { kind: "new" }, ...entries.slice(last + 1)];
}
