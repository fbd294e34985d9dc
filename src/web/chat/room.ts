import type { Gap, Hub, Message, Receipt, Subscription } from "../../client/index.ts";
import { element } from "../page.ts";
import { pageBefore, type Page, type Refusal } from "./history.ts";
import { isPresence, type Presence } from "./presence.ts";
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
  readonly presence: Presence;
  /** A message came: whether it is one of ours, and with which receipt. */
  readonly claim: (message: Message) => Receipt | undefined;
  /** The last message that was read before. */
  readonly mark: string | undefined;
  /** It is read live from here on. */
  readonly entered: () => void;
  /** Messages were added. */
  readonly shown: () => void;
}

/** One channel being read: its last messages, those that come, and older ones when they are asked for. */
export class Room {
  readonly #options: RoomOptions;
  readonly #log = element("log", HTMLElement);
  readonly #note = element("note", HTMLElement);
  readonly #earlier = element("earlier", HTMLButtonElement);
  readonly #closing = new AbortController();
  /** Behind the page that was shown first: read, where nothing was in it. */
  start: string | undefined;
  #subscription: Subscription | undefined;
  #queue: Entry[] = [];
  #isDue = false;

  constructor(options: RoomOptions) {
    this.#options = options;
    const { signal } = this.#closing;
    this.#earlier.addEventListener("click", () => void this.loadEarlier(), { signal });
    void this.open();
  }

  /** Shows the newest messages, and from then on what comes. */
  async open(): Promise<void> {
    const { timeline } = this.#options;
    this.#subscription?.close();
    this.start = undefined;
    timeline.clear();
    this.#earlier.hidden = true;
    this.#tell("Loading…");
    const page = await this.#lastPage();
    if (page === undefined) return;
    timeline.clear();
    timeline.hasOlder = (page.earlier ?? null) !== null;
    this.start = page.next;
    this.#quietly(() => timeline.append(withMark(page.messages.map(entryOf), this.#options.mark)));
    this.#read(page.next);
  }

  async loadEarlier(): Promise<void> {
    const { channel, timeline } = this.#options;
    const { oldest } = timeline;
    if (oldest === undefined || this.#log.ariaBusy === "true") return;
    this.#log.ariaBusy = "true";
    this.#earlier.disabled = true;
    try {
      const page = await pageBefore(channel, oldest, PAGE, this.#closing.signal);
      if (timeline.oldest !== oldest) return;
      timeline.hasOlder = (page.earlier ?? null) !== null;
      this.#quietly(() => timeline.prepend(page.messages));
      this.showEdge();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // Its place is unknown: another log has taken over.
      if ((error as Refusal).final) timeline.hasOlder = false;
      this.#tell((error as Refusal).final ? "What came before is no longer kept." : (error as Error).message);
    } finally {
      const hadFocus = document.activeElement === this.#earlier;
      this.#log.ariaBusy = "false";
      this.#earlier.disabled = false;
      if (hadFocus && this.#earlier.hidden) this.#log.focus();
    }
  }

  /** Says what is in front of the first row. */
  showEdge(): void {
    const { timeline, channel } = this.#options;
    this.#earlier.hidden = !timeline.hasOlder;
    const isEmpty = timeline.isEmpty;
    this.#tell(
      timeline.hasOlder ? "" : isEmpty ? `Nothing is kept in ${channel} yet.` : "The beginning of what is kept.",
    );
  }

  close(): void {
    this.#closing.abort();
    this.#subscription?.close();
  }

  #read(after: string): void {
    const { hub, channel, presence, claim, entered, shown } = this.#options;
    const subscription = hub.subscribe([channel], {
      after,
      onMessage: (message) => {
        if (isPresence(message)) presence.hear(message);
        else this.#queueUp({ kind: "message", message, receipt: claim(message) });
      },
      onGap: (gap) => this.#gap(gap),
      onEnd: (error) => {
        if (error !== undefined) this.#tell(error.message);
      },
    });
    this.#subscription = subscription;
    subscription.ready.then(entered).catch(() => {});
    this.showEdge();
    shown();
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
        this.#tell((error as Error).message);
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
    this.showEdge();
  }

  /** What is not new is not to be read out. */
  #quietly(change: () => void): void {
    this.#log.ariaLive = "off";
    change();
    requestAnimationFrame(() => (this.#log.ariaLive = "polite"));
  }

  #tell(sentence: string): void {
    this.#note.textContent = sentence;
    this.#note.hidden = sentence === "";
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
