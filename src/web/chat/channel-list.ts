import { count } from "../shared/format.ts";
import { made } from "../made.ts";
import { element } from "../page.ts";
import { rove } from "./roving.ts";
import { channelsOf, type Listed } from "./history.ts";
import { Stored } from "../shared/stored.ts";
import { countText, type Unread } from "./unread.ts";

/** The channels, each of which is a link. */
const LINKS = "li > a";
/** Below what a reader may ask for. */
const MOST = 50;
const LISTED = 200;
/** As people sort: project-2 before project-11, and capital letters among the others. */
const BY_NAME = new Intl.Collator(undefined, { numeric: true });
/** Milliseconds between looks for channels of others. */
const LOOK_EVERY = 30_000;

export interface ChannelListEvents {
  /** Someone wants to read a channel of this name; throws with the reason if there can be none. */
  readonly open: (channel: string) => void;
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
  readonly #stored = new Stored("chat.channels", namesIn);
  #listed: readonly Listed[] = [];
  #open = "";
  #stop: string | undefined;

  constructor(unread: Unread, events: ChannelListEvents) {
    this.#unread = unread;
    this.#events = events;
    const form = element("join", HTMLFormElement);
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    rove(element("channels", HTMLElement), LINKS);
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

  /** To where a channel is found. */
  find(): void {
    this.#field.focus();
    this.#field.select();
  }

  /** Takes back what was typed to find one. */
  clear(): void {
    this.#field.value = "";
    this.#refuse("");
    this.show();
  }

  /** The channel of the person that is so many further in the list. */
  next(by: number): string {
    const sorted = this.#sorted;
    return sorted.at((sorted.indexOf(this.#open) + by) % sorted.length) ?? this.#open;
  }

  /** Shows which channel is open, and keeps it. */
  open(channel: string): void {
    this.#open = channel;
    this.#field.value = "";
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
    // What was refused as a name is nothing to look for.
    const wanted = this.#refused.textContent === "" ? this.#field.value.trim().toLowerCase() : "";
    const isWanted = (channel: string): boolean => channel.toLowerCase().includes(wanted);
    const mine = this.#sorted.filter(isWanted);
    const others = this.#listed
      .filter(({ channel }) => !channels.includes(channel) && isWanted(channel))
      .sort((a, b) => BY_NAME.compare(a.channel, b.channel));
    this.#stop = this.#stopAmong([...mine, ...others.map(({ channel }) => channel)]);
    this.#renew(
      this.#mine,
      mine.map((channel) => this.#row(channel)),
    );
    this.#renew(
      this.#others,
      others.map((listed) => this.#otherRow(listed)),
    );
    element("others-title", HTMLElement).hidden = others.length === 0;
  }

  /** Which of the channels shown is the stop of the Tab key: the one that has the focus, the open one, or the first. */
  #stopAmong(shown: readonly string[]): string | undefined {
    const focused = shown.find((channel) => document.activeElement?.id === `to:${channel}`);
    return focused ?? (shown.includes(this.#open) ? this.#open : shown[0]);
  }

  get #sorted(): readonly string[] {
    return [...this.channels].sort(BY_NAME.compare);
  }

  #submit(): void {
    try {
      this.#events.open(this.#field.value.trim());
    } catch (error) {
      this.#refuse((error as Error).message);
      this.show();
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
    const link = this.#linkTo(channel);
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

  #otherRow({ channel, messages }: Listed): HTMLElement {
    const link = this.#linkTo(channel);
    link.append(made("span", "size", `${count(messages)} kept`));
    return made("li", "", link);
  }

  #linkTo(channel: string): HTMLAnchorElement {
    const link = made("a", "", made("span", "label", channel));
    link.href = `#${encodeURIComponent(channel)}`;
    link.id = `to:${channel}`;
    link.title = channel;
    link.tabIndex = channel === this.#stop ? 0 : -1;
    return link;
  }

  #leave(channel: string): void {
    this.#set(this.channels.filter((other) => other !== channel));
    this.#events.open(this.#sorted[0] ?? "default");
  }
}

/** What was remembered, as far as it can be names. */
function namesIn(value: unknown): readonly string[] {
  const names = Array.isArray(value)
    ? value.filter((name) => typeof name === "string" && /^[\w-]+(?:\.[\w-]+)*$/.test(name))
    : [];
  return names.length === 0 ? ["default"] : names.slice(-MOST);
}
