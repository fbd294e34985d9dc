import type { Hub, Message } from "../../client/index.ts";
import { mentions } from "../shared/mentions.ts";
import { plainName } from "../shared/names.ts";
import { EVERYONE, mayRead, mayWrite, verifiedName, type Session } from "../shared/session.ts";
import { Stored } from "../shared/stored.ts";
import { addressed, fragmentOf } from "./address.ts";
import { channelProblem } from "./channel-name.ts";
import type { FileInfo } from "./files.ts";
import { notify, notifyOf, whyNot, type Desk } from "../questions/desk.ts";
import { Questions } from "../questions/questions.ts";
import { MyChannels } from "./my-channels.ts";
import { MessageActions } from "./message-actions.ts";
import { Outbox } from "./outbox.ts";
import { Presence } from "./presence.ts";
import { Reach, sayUntil } from "./reach.ts";
import { textIn } from "./relation.ts";
import { RenderSoon } from "./render-soon.ts";
import { Room } from "./room.ts";
import { knownTitles } from "./known-titles.ts";
import { TITLE_EVENT, type Titles } from "./titles.ts";
import { Unread } from "./unread.ts";

/** Characters of a message in a notification. */
const MAX_NOTIFIED = 200;

/** What the chat knows and does; the page renders it whenever it has changed. */
export class Chat {
  readonly hub: Hub;
  readonly mine: MyChannels;
  readonly titles: Titles = knownTitles();
  readonly unread: Unread;
  readonly outbox: Outbox;
  readonly questions: Questions;
  /** What the cards of questions do. */
  readonly desk: Desk;
  readonly reach: Reach;
  room: Room | undefined;
  /** What is done with the messages of the room. */
  actions: MessageActions | undefined;
  presence: Presence | undefined;
  /** How often a channel was opened. */
  opened = 0;
  /** Why a name that was given cannot be that of a channel. */
  refused = "";
  /** Whether someone mentioned the person since the page was opened. */
  wasMentioned = false;
  /** Called with what the person wants to write about. */
  quoted: (text: string) => void = () => {};
  /** Shows what has changed. */
  render: () => void = () => {};
  readonly #lastOpen = new Stored("chat.open", (value) => (typeof value === "string" ? value : "default"));
  readonly #nickname = new Stored("chat.nickname", (value) => (typeof value === "string" ? value : ""));
  readonly #session: Session;
  #name: string;
  readonly #renderSoon = new RenderSoon(() => this.render());

  constructor(hub: Hub, session: Session = EVERYONE) {
    this.hub = hub;
    this.#session = session;
    this.mine = new MyChannels(session, () => this.unread.follow(this.channels));
    this.questions = new Questions({
      changed: () => this.changed(),
      asked: (question) => notify(question, () => this.open(question.channel)),
    });
    this.desk = {
      whyNot: (question) => {
        if (this.reach.state !== "live") return "The server cannot be reached now";
        return whyNot(question, session, this.nickname);
      },
      answer: (question, value) => this.questions.answer(question, value, this.nickname || undefined),
      reply: (question) => {
        this.open(question.channel);
        this.quoted(question.text);
      },
    };
    this.unread = new Unread(hub, {
      changed: () => this.changed(),
      heard: (message) => this.#hear(message),
      name: () => this.nickname,
    });
    this.outbox = new Outbox({
      publish: ({ channel, text, sender, key, about }, signal) => {
        const { event, data } = about ?? { event: "message", data: text };
        const options = { event, key, signal, ...(sender !== undefined && { sender }) };
        return hub.publish(channel, data, options).catch(sayUntil);
      },
      isShown: ({ channel, about }, id) => {
        const isMark = about !== undefined && !["reply", "message"].includes(about.event);
        return isMark || channel !== this.channel || this.room?.timeline.has(id) === true;
      },
      changed: () => this.changed(),
      kept: (id, receipt) => this.room?.timeline.mark(id, receipt),
      store: new Stored<unknown>(
        "chat.outbox",
        (value) => value,
        () => sessionStorage,
      ),
    });
    this.#name = this.#nickname.get();
    this.#nickname.onChange((name) => this.#rename(name));
    this.reach = new Reach(hub, {
      changed: () => this.changed(),
      back: (wasAway) => {
        this.outbox.hurry();
        // Others came back earlier or later, and heard nothing of this page.
        if (wasAway) this.presence?.enter();
      },
    });
    for (const event of ["focus", "blur"]) addEventListener(event, () => this.changed());
    addEventListener("hashchange", () => this.follow());
    this.follow();
    this.unread.follow(this.channels);
    void this.outbox.send();
  }

  /** The open one. */
  get channel(): string {
    return this.room?.channel ?? "";
  }

  /** The channels of the person that they may read, in the order of the list. */
  get channels(): readonly string[] {
    return this.mine.names;
  }

  /** The name that the person has proved; undefined if they may call themselves what they like. */
  get verifiedName(): string | undefined {
    return verifiedName(this.#session);
  }

  /** How the person is called; empty if no name was given. */
  get nickname(): string {
    return this.verifiedName ?? this.#name;
  }

  set nickname(name: string) {
    this.#rename(plainName(name));
    this.#nickname.set(this.#name);
  }

  /** Has the page rendered with the next frame: messages may be many. */
  changed(): void {
    this.#renderSoon.request();
  }

  /** Has the page rendered at once: the person has done something in it. */
  acted(): void {
    this.#renderSoon.now();
  }

  /** Opens what the address names. */
  follow(): void {
    const { channel: named, at } = addressed();
    const wasJoined = this.join(named ?? this.#lastOpen.get(), at);
    if (!wasJoined && this.channel === "") this.open(this.#firstChannel, { keepsRefusal: true });
  }

  /** Opens a channel of this name, or says why there can be none; `at`: the message to show. */
  join(name: string, at?: string): boolean {
    const why = channelProblem(name) ?? (mayRead(this.#session, name) ? undefined : `You may not read ${name}`);
    if (why === undefined) this.open(name, { at });
    else this.refuse(why);
    return why === undefined;
  }

  /** Says why a name cannot be that of a channel; an empty sentence takes that back. */
  refuse(sentence: string): void {
    if (this.refused === sentence) return;
    this.refused = sentence;
    this.acted();
  }

  open(name: string, { at, keepsRefusal = false }: { at?: string | undefined; keepsRefusal?: boolean } = {}): void {
    const isFirst = this.room === undefined;
    if (name !== this.channel) this.#enter(name, at);
    else if (at !== undefined) void this.room?.openAt(at);
    if (!keepsRefusal) this.refused = "";
    this.opened++;
    if (this.mine.add(name)) this.unread.follow(this.channels);
    const address = location.pathname + fragmentOf(name, at);
    const isThere = location.pathname + location.search + location.hash === address;
    // Another spelling of the same address is not a step: going back would lead here again.
    const { channel: named, at: shown } = addressed();
    const isStep = !isFirst && (named !== name || shown !== at);
    if (!isThere) history[isStep ? "pushState" : "replaceState"](null, "", address);
    this.acted();
  }

  #enter(name: string, at: string | undefined): void {
    this.#lastOpen.set(name);
    this.room?.close();
    this.presence?.close();
    const changed = (): void => this.changed();
    this.presence = new Presence(name, this.hub, () => this.nickname || undefined, changed);
    this.room = new Room({
      channel: name,
      hub: this.hub,
      claim: (message) => this.outbox.claim(message),
      mark: this.unread.mark(name),
      shown: () => this.outbox.settle(),
      changed,
      heard: (message) => void this.titles.hear(message),
      at,
    });
    this.actions = new MessageActions({
      annotations: this.room.annotations,
      me: () => ({ sender: this.nickname || "anyone", ...(this.verifiedName !== undefined && { verified: true }) }),
      mayWrite: mayWrite(this.#session, name),
      goTo: (id) => this.room?.timeline.goTo(id),
      lastMessage: (is) => this.room?.timeline.lastMessage(is),
      isFromHere: (id) => this.room?.timeline.receiptOf(id) !== undefined,
      publish: (event, data, text) => this.outbox.add(name, text, this.nickname || undefined, { event, data }),
      changed,
      acted: () => this.acted(),
    });
  }

  leave(channel: string): void {
    this.mine.remove(channel);
    this.#moveOn();
  }

  /** Hides a channel from the lists, until it is opened by its name. */
  archive(channel: string): void {
    this.mine.archive(channel);
    this.#moveOn();
  }

  #moveOn(): void {
    this.unread.follow(this.channels);
    this.open(this.channels[0] ?? this.#firstChannel);
  }

  /** Opens the channel of the person that is so many further in the list. */
  step(by: number): void {
    const { channels } = this;
    this.open(channels.at((channels.indexOf(this.channel) + by) % channels.length) ?? this.channel);
  }

  send(text: string, files: readonly FileInfo[] = []): void {
    this.presence?.wrote("");
    if (this.actions?.subject !== undefined) return this.actions.send(text);
    const about = files.length === 0 ? undefined : { event: "message", data: { text, files } };
    this.outbox.add(this.channel, text, this.nickname || undefined, about);
    this.toNewest();
  }

  /** Renames the open channel for everyone. */
  setTitle(title: string): void {
    this.outbox.add(this.channel, title, this.nickname || undefined, { event: TITLE_EVENT, data: { title } });
  }

  /** Names that a message could call: of who is here, and of who wrote what is in the page. */
  get knownNames(): readonly string[] {
    const senders = this.room?.timeline.senders ?? [];
    const names = new Set([...(this.presence?.roster.names(performance.now()) ?? []), ...senders]);
    return [...names].filter((name) => name !== "anyone" && name !== "" && name !== this.nickname);
  }

  toNewest(): void {
    if (location.hash.includes("/")) history.replaceState(null, "", `#${encodeURIComponent(this.channel)}`);
    if (this.room?.timeline.isCutOff === true) void this.room.open();
    else this.room?.timeline.toEnd();
  }

  /** What is in sight is read. */
  markRead(): void {
    const { timeline, start } = this.room ?? {};
    const id = timeline?.newest ?? start;
    if (document.hasFocus() && !document.hidden && timeline?.isAtEnd === true && id !== undefined) {
      this.unread.read(this.channel, id);
    }
  }

  /** Where someone begins who has been nowhere yet. */
  get #firstChannel(): string {
    const { subscribe } = this.#session;
    return mayRead(this.#session, "default") ? "default" : (subscribe[0] ?? "default").replace(/\*$/, "general");
  }

  /** A message came on one of the channels of the person. */
  #hear(message: Message): void {
    this.questions.hear(message);
    if (this.titles.hear(message)) this.changed();
    if (message.channel === this.channel) this.presence?.typing.stop(message.sender);
    const { id, channel, sender } = message;
    const text = textIn(message);
    if (id === null || sender === this.nickname || !mentions(text, this.nickname)) return;
    this.wasMentioned = true;
    notifyOf(text.slice(0, MAX_NOTIFIED), `${plainName(sender)} in ${channel}`, `mention ${channel}`, () =>
      this.open(channel, { at: id }),
    );
  }

  #rename(name: string): void {
    this.#name = name;
    this.presence?.rename();
    this.acted();
  }
}
