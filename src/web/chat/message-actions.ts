import type { Message } from "../../client/index.ts";
import { plainName } from "../shared/names.ts";
import { fragmentOf } from "./address.ts";
import type { Annotations } from "./annotations.ts";
import { filesIn } from "./files.ts";
import { identityOf, isEmoji, relationOf } from "./relation.ts";

/** Characters of a message that is named elsewhere. */
const MAX_EXCERPT = 80;
/** The sender of messages that name none. */
const NO_NAME = "anyone";

/** What a person writes about: the composer says so, and Escape ends it. */
export interface Subject {
  readonly kind: "reply" | "edit";
  readonly message: Message;
}

export interface MessageActionsOptions {
  readonly annotations: Annotations;
  /** How a message of the person would be signed. */
  readonly me: () => Pick<Message, "sender" | "verified">;
  readonly mayWrite: boolean;
  /** Whether this page has sent a message. */
  readonly isFromHere: (id: string) => boolean;
  /** Shows a message where it stands. */
  readonly goTo: (id: string) => void;
  /** The last message in the page that passes the test. */
  readonly lastMessage: (is: (message: Message) => boolean) => Message | undefined;
  /** Publishes a message about another; `text` stands for it until it is kept. */
  readonly publish: (event: string, data: object, text: string) => void;
  readonly changed: () => void;
  /** Called when the page has to show at once what the person did. */
  readonly acted: () => void;
}

/** What a person does with the messages of one channel, and what is open for it. */
export class MessageActions {
  readonly annotations: Annotations;
  readonly mayWrite: boolean;
  subject: Subject | undefined;
  /** The message whose menu is open. */
  menu: Message | undefined;
  /** The message whose menu the Tab key reaches. */
  tabStop: string | undefined;
  readonly #openThreads = new Set<string>();
  readonly #options: MessageActionsOptions;

  constructor(options: MessageActionsOptions) {
    this.annotations = options.annotations;
    this.mayWrite = options.mayWrite;
    this.#options = options;
  }

  /** The identity of the person. */
  get me(): string {
    return identityOf(this.#options.me());
  }

  /** Whether the person may say that a message is deleted: it is theirs. */
  canDelete(message: Message): boolean {
    const { id } = message;
    if (!this.mayWrite || id === null || identityOf(message) !== this.me) return false;
    // Those without a name, services among them, have one in common.
    const isOwn = message.sender !== NO_NAME || this.#options.isFromHere(id);
    return isOwn && this.annotations.about(message).deleted === undefined;
  }

  canEdit(message: Message): boolean {
    const isText = ["message", "reply"].includes(message.event) && typeof this.textOf(message) === "string";
    return this.canDelete(message) && isText;
  }

  isOpen(thread: string): boolean {
    return this.#openThreads.has(thread);
  }

  toggle(thread: string, isOpen = !this.isOpen(thread)): void {
    if (isOpen) this.#openThreads.add(thread);
    else this.#openThreads.delete(thread);
    this.#options.acted();
  }

  openMenu(message: Message | undefined): void {
    this.menu = message;
    if (message?.id != null) this.tabStop = message.id;
    this.#options.acted();
  }

  select(id: string | null): void {
    if (id === null || this.tabStop === id) return;
    this.tabStop = id;
    // Nothing may move under a pointer that is pressed: this waits for a frame.
    this.#options.changed();
  }

  /** Shows a message that is in the page, with its thread. */
  goTo(id: string): void {
    this.reveal(id);
    this.#options.goTo(id);
  }

  /** Has the next rendering show a message, also if it is in a thread. */
  reveal(id: string): void {
    this.#openThreads.add(this.annotations.rootOf(id));
  }

  /** The address at which a message is shown. */
  linkTo({ channel, id }: Message): string {
    return location.origin + location.pathname + fragmentOf(channel, id ?? undefined);
  }

  begin(subject: Subject | undefined): void {
    this.subject = subject;
    this.#options.acted();
  }

  /** Begins to edit the last message of the person, if there is one in the page. */
  editLast(): boolean {
    if (!this.mayWrite || this.subject !== undefined) return false;
    const message = this.#options.lastMessage((each) => this.canEdit(each));
    if (message !== undefined) this.begin({ kind: "edit", message });
    return message !== undefined;
  }

  /** Sends what was written about the subject. */
  send(text: string): void {
    const { subject } = this;
    this.begin(undefined);
    if (subject?.message.id == null) return;
    const { id } = subject.message;
    const target = subject.kind === "reply" ? this.annotations.rootOf(id) : id;
    if (subject.kind === "reply") this.toggle(target, true);
    this.#options.publish(subject.kind, { target, text }, text);
  }

  /** Reacts with an emoji, or takes that back. */
  react(message: Message, emoji: string): void {
    if (message.id === null || !isEmoji(emoji)) return;
    const { me } = this;
    const reaction = this.annotations.about(message).reactions.find((each) => each.emoji === emoji);
    const removed = reaction?.by.some(({ identity }) => identity === me) === true;
    const data = { target: message.id, emoji, ...(removed && { removed }) };
    this.#options.publish("reaction", data, removed ? `Take back ${emoji}` : emoji);
  }

  remove(message: Message): void {
    if (message.id !== null) this.#options.publish("delete", { target: message.id }, "Delete a message");
  }

  /** What a message says now. */
  textOf(message: Message): unknown {
    const { edited } = this.annotations.about(message);
    const relation = relationOf(message);
    return edited?.text ?? (relation?.kind === "reply" ? relation.text : (filesIn(message.data)?.text ?? message.data));
  }

  /** The beginning of what a message says, in one line. */
  excerptOf(message: Message): string {
    if (this.annotations.about(message).deleted !== undefined) return "a deleted message";
    const text = this.textOf(message);
    const whole = (typeof text === "string" ? text : JSON.stringify(text)).slice(0, 4 * MAX_EXCERPT);
    return plainName(whole.replace(/\*\*|__|~~|`+/g, "").replace(/\s+/g, " ")).slice(0, MAX_EXCERPT);
  }
}
