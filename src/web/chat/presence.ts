import type { Hub, Message, Subscription } from "../../client/index.ts";
import type { Participant } from "../../protocol/participant.ts";
import { readerOfBrowser } from "../shared/reader.ts";
import { MAX_ASKED, participantsOf } from "../shared/participants.ts";
import { channelsOf } from "./history.ts";
import { PRESENCE_EVERY, Roster } from "./roster.ts";
import { Typing, TYPING_EVENT, TypingTeller, type TypingState } from "./typing.ts";

/** The event of the ephemeral messages by which pages tell each other, beside the channel, who reads it. */
const EVENT = "presence";
/** With more readers than this, only their number is shown: the names would be noise. */
const MAX_NAMED = 50;
/** Milliseconds within which newcomers are answered, all with one message: spread, and that long after the last one. */
const ANSWER_WITHIN = 2000;
/** Milliseconds between looks at the number of readers. */
const REFRESH_INTERVAL = 5000;
/** Milliseconds after which every node lists a reader that announced itself to one of them. */
const LISTED_AFTER = 10_000;
/** Milliseconds after someone, or this page, came or left: others may do so, too. */
const REFRESH_DELAY = 1000;

interface Word {
  readonly state: "here" | "gone";
  /** Others are to say that they are here. */
  readonly asks?: boolean;
  /** The page that says so, which need not answer itself. */
  readonly page: string;
  /** The id of the page's connection, by which the server knows whose it is. */
  readonly reader: string;
}

const PAGE = Math.random().toString(36).slice(2, 8);
/** What every word of this page has. */
const OWN = { page: PAGE, reader: readerOfBrowser() };

/** Who reads a channel: how many and who, as the server knows, and the names that people gave. */
export class Presence {
  readonly roster: Roster = new Roster();
  readonly typing: Typing = new Typing();
  readonly #teller = new TypingTeller((state) => this.#tell(state));
  /** How many read, as far as it is known. */
  readers: number | undefined;
  /** What the server lists. */
  participants: readonly Participant[] = [];
  readonly #channel: string;
  readonly #presenceChannel: string;
  readonly #hub: Hub;
  readonly #name: () => string | undefined;
  readonly #changed: () => void;
  readonly #end = new AbortController();
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #subscription: Subscription | undefined;
  #answer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;
  /** The name that others have of this page. */
  #told: string | undefined;
  #spoke = -Infinity;

  constructor(channel: string, hub: Hub, name: () => string | undefined, changed: () => void) {
    this.#channel = channel;
    this.#presenceChannel = `hub.presence.${channel}`;
    this.#hub = hub;
    this.#name = name;
    this.#changed = changed;
    this.#timers = [
      setInterval(() => this.#stay(), PRESENCE_EVERY),
      setInterval(() => void this.look(), REFRESH_INTERVAL),
    ];
    const { signal } = this.#end;
    document.addEventListener("visibilitychange", () => void (document.hidden || this.enter()), { signal });
    addEventListener("pagehide", () => this.#leave(), { signal });
    if (hub.state.kind === "closed") return;
    this.#subscription = hub.subscribe(this.#presenceChannel, { onMessage: (message) => this.#hear(message) });
    this.#subscription.ready.then(() => this.enter()).catch(() => {});
  }

  /** Says that the person reads here, and asks who else does. */
  enter(): void {
    if (this.#end.signal.aborted) return;
    this.#say({ state: "here", asks: true, ...OWN });
    // Until then, a connection with which this page catches up is still counted.
    this.#lookSoon();
  }

  /** The person took another name. */
  rename(): void {
    if (this.#told !== undefined && this.#told !== this.#name()) this.#say({ state: "gone", ...OWN }, this.#told);
    this.#say({ state: "here", ...OWN });
  }

  /** The person changed what they write. */
  wrote(text: string): void {
    this.#teller.wrote(text.trim() === "", performance.now());
  }

  /** Asks for the number of readers, and who they are. */
  async look(): Promise<void> {
    if (document.hidden) return;
    const asked = performance.now();
    const [[listed], participants] = await Promise.all([
      channelsOf(this.#channel, 1).catch(() => []),
      participantsOf(this.#channel).catch(() => this.participants),
    ]);
    this.readers = listed?.readers ?? this.readers;
    if (participants !== this.participants && participants.length < MAX_ASKED)
      this.roster.keepListed(new Set(participants.flatMap(({ name }) => name ?? [])), asked - LISTED_AFTER);
    this.participants = participants;
    this.#changed();
  }

  close(): void {
    this.#teller.ended(performance.now());
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#answer);
    clearTimeout(this.#looking);
    this.#leave();
    this.#subscription?.close();
    this.#end.abort();
  }

  /** Another page said something. */
  #hear({ data, sender, event }: Message): void {
    if (event === TYPING_EVENT) {
      const lasts = this.typing.hear(sender, data, performance.now());
      // It ends by itself.
      if (lasts > 0) setTimeout(this.#changed, lasts);
      this.#changed();
      return;
    }
    const { state, asks, page, reader } = (data ?? {}) as Partial<Record<keyof Word, unknown>>;
    if (state === "gone") this.roster.forget(sender);
    else if (sender !== "anyone" && sender !== "") this.roster.see(sender, performance.now(), reader !== undefined);
    this.#changed();
    if (asks === true || state === "gone") this.#lookSoon();
    if (asks !== true || page === PAGE || this.#answer !== undefined) return;
    const wait = Math.max(Math.random() * ANSWER_WITHIN, this.#spoke + ANSWER_WITHIN - performance.now());
    this.#answer = setTimeout(() => {
      this.#answer = undefined;
      if (this.#name() !== undefined && !document.hidden) this.#say({ state: "here", ...OWN });
    }, wait);
  }

  #stay(): void {
    if (document.hidden || this.#name() === undefined || (this.readers ?? 2) < 2) return;
    this.#say({ state: "here", ...OWN });
  }

  #lookSoon(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      void this.look();
    }, REFRESH_DELAY);
  }

  #tell(state: TypingState): void {
    const sender = this.#name();
    // No one would know who it is, or hear it.
    if (sender === undefined || (this.readers ?? 0) > MAX_NAMED) return;
    this.#hub
      .publish(this.#presenceChannel, { state }, { event: TYPING_EVENT, ephemeral: true, sender })
      .catch(() => {});
  }

  #leave(): void {
    if (this.#told === undefined) return;
    const query = new URLSearchParams({ event: EVENT, ephemeral: "true", sender: this.#told });
    const body = JSON.stringify({ state: "gone", ...OWN } satisfies Word);
    // The page may be gone before a request of its own is sent.
    navigator.sendBeacon(
      `channels/${this.#presenceChannel}/messages?${query}`,
      new Blob([body], { type: "application/json" }),
    );
    this.#told = undefined;
  }

  #say(word: Word, sender = this.#name()): void {
    if ((this.readers ?? 0) > MAX_NAMED) return;
    this.#spoke = performance.now();
    if (word.state === "here") this.#told = sender;
    if (word.state === "here" && sender !== undefined) this.roster.see(sender, this.#spoke);
    this.#changed();
    // One that is lost does no harm: there will be another.
    this.#hub
      .publish(this.#presenceChannel, word, { event: EVENT, ephemeral: true, ...(sender !== undefined && { sender }) })
      .catch(() => {});
  }
}
