import { made } from "../made.ts";
import { element } from "../page.ts";
import { channelsOf, type Listed } from "./history.ts";
import { Stored } from "./stored.ts";
import { countText, type Unread } from "./unread.ts";

/** Below what a reader may ask for. */
const MOST = 50;
const LISTED = 200;
/** Milliseconds between looks for channels of others. */
const LOOK_EVERY = 30_000;

export interface ChannelListEvents {
  /** Someone wants to read a channel of this name; rejects with the reason why it is none. */
  readonly open: (channel: string) => Promise<void>;
  /** The channels of the person are others now. */
  readonly changed: (channels: readonly string[]) => void;
}

/** The channels of the person with what is unread there, and those of others. */
export class ChannelList {
  readonly #events: ChannelListEvents;
  readonly #unread: Unread;
  readonly #mine = element("mine", HTMLElement);
  readonly #others = element("others", HTMLElement);
  readonly #field = element("name", HTMLInputElement);
  readonly #refused = element("refused", HTMLElement);
  readonly #stored = new Stored("channels", namesIn);
  #listed: readonly Listed[] = [];
  #open = "";

  constructor(unread: Unread, events: ChannelListEvents) {
    this.#unread = unread;
    this.#events = events;
    element("join", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#field.addEventListener("input", () => {
      this.#refuse("");
      this.show();
    });
    this.#stored.onChange((channels) => {
      this.show();
      events.changed(channels);
    });
    setInterval(() => void this.look(), LOOK_EVERY);
    void this.look();
  }

  /** The channels of the person. */
  get channels(): readonly string[] {
    return this.#stored.get();
  }

  /** Shows which channel is open, and keeps it. */
  open(channel: string): void {
    this.#open = channel;
    this.#refuse("");
    if (!this.channels.includes(channel)) this.#set([...this.channels, channel].slice(-MOST));
    this.show();
  }

  /** Looks for channels of others. */
  async look(): Promise<void> {
    if (document.hidden) return;
    this.#listed = await channelsOf("*", LISTED).catch(() => this.#listed);
    this.show();
  }

  show(): void {
    const { channels } = this;
    const wanted = this.#field.value.trim().toLowerCase();
    this.#renew(
      this.#mine,
      [...channels].sort().map((channel) => this.#row(channel)),
    );
    const others = this.#listed.filter(({ channel }) => {
      return !channels.includes(channel) && channel.toLowerCase().includes(wanted);
    });
    this.#renew(
      this.#others,
      others.map(({ channel, messages }) => otherRow(channel, messages)),
    );
    element("others-title", HTMLElement).hidden = others.length === 0;
  }

  async #submit(): Promise<void> {
    const channel = this.#field.value.trim();
    try {
      await this.#events.open(channel);
      this.#field.value = "";
      this.#refuse("");
      this.show();
    } catch (error) {
      this.#refuse((error as Error).message);
      this.#field.focus();
    }
  }

  #refuse(sentence: string): void {
    this.#refused.textContent = sentence;
    this.#field.setAttribute("aria-invalid", String(sentence !== ""));
  }

  #set(channels: readonly string[]): void {
    this.#stored.set(channels);
    this.#events.changed(channels);
  }

  /** Replaces rows only where they are others, so that whoever is on one with the keyboard stays there. */
  #renew(list: HTMLElement, rows: readonly HTMLElement[]): void {
    const isSame =
      rows.length === list.children.length && rows.every((row, index) => row.isEqualNode(list.children[index] ?? null));
    if (isSame) return;
    const focused = list.contains(document.activeElement) ? document.activeElement?.id : undefined;
    list.replaceChildren(...rows);
    if (focused !== undefined) document.getElementById(focused)?.focus();
  }

  #row(channel: string): HTMLElement {
    const unread = channel === this.#open && document.hasFocus() ? 0 : this.#unread.count(channel);
    const link = linkTo(channel);
    if (channel === this.#open) link.ariaCurrent = "page";
    if (unread > 0) link.append(made("span", "count", countText(unread), made("span", "unseen", " unread")));
    const row = made("li", unread > 0 ? "unread" : "", link);
    if (channel === this.#open && this.channels.length > 1) {
      const leave = made("button", "leave", made("span", "unseen", `Leave ${channel}`), made("span", "cross"));
      leave.type = "button";
      leave.id = `leave:${channel}`;
      leave.title = "Take it off this list; nothing is deleted";
      leave.addEventListener("click", () => this.#leave(channel));
      row.append(leave);
    }
    return row;
  }

  #leave(channel: string): void {
    const left = this.channels.filter((other) => other !== channel);
    this.#set(left);
    void this.#events.open([...left].sort()[0] ?? "default");
  }
}

function otherRow(channel: string, messages: number): HTMLElement {
  const link = linkTo(channel);
  link.append(
    made("span", "size", String(messages), made("span", "unseen", messages === 1 ? " message" : " messages")),
  );
  return made("li", "", link);
}

function linkTo(channel: string): HTMLAnchorElement {
  const link = made("a", "", made("span", "label", channel));
  link.href = `#${encodeURIComponent(channel)}`;
  link.id = `to:${channel}`;
  return link;
}

/** What was remembered, as far as it can be names. */
function namesIn(value: unknown): readonly string[] {
  const names = Array.isArray(value)
    ? value.filter((name) => typeof name === "string" && /^[\w-]+(?:\.[\w-]+)*$/.test(name))
    : [];
  return names.length === 0 ? ["default"] : names.slice(-MOST);
}
