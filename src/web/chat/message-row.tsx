import { Component, type ComponentChild } from "preact";
import type { Message, Receipt } from "../../client/index.ts";
import { hueOf, initialOf, readable } from "../shared/names.ts";
import { QUESTION_EVENTS, type Question } from "../../protocol/question.ts";
import { QuestionCard, QuestionEnd } from "../questions/card.tsx";
import { isNotice, NoticeLine } from "../questions/notice.tsx";
import type { Desk } from "../questions/desk.ts";
import { clock, fullTime } from "../shared/times.ts";
import { Files } from "./attachments.tsx";
import { filesIn } from "./files.ts";
import type { About } from "./annotations.ts";
import { dayName, placeOf } from "./grouping.ts";
import type { MessageActions } from "./message-actions.ts";
import { menuButtonId } from "./message-menu.tsx";
import { Reactions } from "./reactions.tsx";
import { Said } from "./said.tsx";

export interface MessageRowProps {
  readonly message: Message;
  readonly receipt: Receipt | undefined;
  /** The message above it, with or without something between. */
  readonly above: Message | undefined;
  readonly isDirectlyBelow: boolean;
  /** The question that the message is about, if the server has it. */
  readonly question: Question | undefined;
  /** Why the person cannot answer it now. */
  readonly whyNot: string | undefined;
  readonly desk: Desk;
  readonly about: About;
  readonly actions: MessageActions;
  readonly isThreadOpen: boolean;
  readonly isMenuOpen?: boolean;
  /** Whether it is a reply that stands in its thread. */
  readonly isInThread?: boolean;
  /** The message that someone was led to, if it is this one or in its thread. */
  readonly marked: string | undefined;
  /** The identity of the person. */
  readonly me: string;
  /** The message whose menu the Tab key reaches, if it is this one or in its thread. */
  readonly stop: string | undefined;
}

/** A message; rendered again only if what it shows is something else. */
export class MessageRow extends Component<MessageRowProps> {
  override shouldComponentUpdate(next: MessageRowProps): boolean {
    return (Object.keys(next) as (keyof MessageRowProps)[]).some((name) => next[name] !== this.props[name]);
  }

  override render(): ComponentChild {
    const { message, receipt, above, isDirectlyBelow, question, about, isInThread, ...rest } = this.props;
    const { actions, me, stop, marked } = rest;
    const { beginsDay, hasHead } = placeOf(message, above);
    const time = new Date(message.time);
    const isHead = hasHead || !isDirectlyBelow;
    const { id } = message;
    return (
      <li
        id={id === null ? undefined : messageRowId(id)}
        class={`row${isHead ? " head" : ""}${marked !== undefined && marked === message.id ? " found" : ""}`}
        onClick={(event) => {
          event.stopPropagation();
          actions.select(id);
        }}
      >
        {beginsDay && (
          <h2 class="day">
            <span>{dayName(time, new Date())}</span>
          </h2>
        )}
        {isHead ? (
          <>
            <Face sender={message.sender} isAgent={message.via === "tool"} />
            <Head message={message} time={time} hasEvent={question === undefined && message.event !== "reply"} />
          </>
        ) : (
          <Time time={time} kind="aside" />
        )}
        {message.event === "reply" && isInThread !== true && <p class="answers-to">↳ in reply to an earlier message</p>}
        <Content message={message} question={question} about={about} {...rest} />
        {about.reactions.length > 0 && about.deleted === undefined && (
          <Reactions message={message} reactions={about.reactions} actions={actions} me={me} />
        )}
        {about.replies.length > 0 && message.event !== "reply" && (
          <Thread root={message} about={about} actions={actions} me={me} stop={stop} marked={marked} desk={rest.desk} />
        )}
        {receipt !== undefined && <Kept {...receipt} />}
        {id !== null && <MenuButton id={id} message={message} actions={actions} isStop={stop === id} />}
      </li>
    );
  }
}

/** The id of the line of a message in the page. */
export function messageRowId(id: string): string {
  return `message:${id}`;
}

interface MenuButtonProps {
  readonly id: string;
  readonly message: Message;
  readonly actions: MessageActions;
  readonly isStop: boolean;
}

function MenuButton({ id, message, actions, isStop }: MenuButtonProps) {
  return (
    <button
      id={menuButtonId(id)}
      type="button"
      class="acts"
      tabIndex={isStop ? 0 : -1}
      aria-haspopup="dialog"
      aria-expanded={actions.menu === message}
      title="React, reply and more"
      onFocus={() => actions.select(id)}
      onClick={() => actions.openMenu(actions.menu === message ? undefined : message)}
    >
      <span class="unseen">React, reply and more: {readable(message.sender)}</span>
      <span class="dots" />
    </button>
  );
}

type ContentProps = Pick<MessageRowProps, "message" | "question" | "whyNot" | "desk" | "about" | "actions">;

function Content({ message, question, about, actions, ...rest }: ContentProps) {
  const { deleted, edited } = about;
  if (deleted !== undefined) {
    return (
      <div class="said nothing" title={fullTime(new Date(deleted.time))}>
        deleted by <bdi>{readable(message.sender) || "no name"}</bdi>
      </div>
    );
  }
  if (isNotice(message)) return <NoticeLine data={message.data} />;
  if (question === undefined) {
    const { files = [] } = filesIn(message.data) ?? {};
    const text = actions.textOf(message);
    const said = (files.length === 0 || text !== "") && <Said data={text} />;
    if (edited === undefined && files.length === 0) return said;
    return (
      <div>
        {said}
        {files.length > 0 && <Files files={files} />}
        {edited !== undefined && (
          <span class="edited" title={`Edited ${fullTime(new Date(edited.time))}; the log keeps what it said before`}>
            (edited)
          </span>
        )}
      </div>
    );
  }
  if (message.event === QUESTION_EVENTS.opened) return <QuestionCard question={question} {...rest} />;
  return question.state === "closed" ? <QuestionEnd question={question} /> : <Said data={message.data} />;
}

type ThreadProps = Pick<MessageRowProps, "actions" | "desk" | "me" | "stop" | "marked"> & {
  readonly root: Message;
  readonly about: About;
};

/** The replies to a message, folded until they are asked for. */
function Thread({ root, about: { replies }, actions, ...rest }: ThreadProps) {
  const id = root.id as string;
  const isOpen = actions.isOpen(id);
  const last = replies.at(-1) as Message;
  const time = new Date(last.time);
  return (
    <div class="thread">
      <button type="button" class="replies" aria-expanded={isOpen} onClick={() => actions.toggle(id)}>
        {replies.length === 1 ? "1 reply" : `${replies.length} replies`}
        <span class="last">
          , the last by <Name sender={last.sender} /> at <time title={fullTime(time)}>{clock(time)}</time>
        </span>
      </button>
      {isOpen && (
        <ol aria-label="Replies">
          {replies.map((message, index) => (
            <MessageRow
              key={message.id}
              {...rest}
              message={message}
              receipt={undefined}
              above={replies[index - 1] ?? root}
              isDirectlyBelow={index > 0}
              question={undefined}
              whyNot={undefined}
              actions={actions}
              about={actions.annotations.about(message)}
              isThreadOpen={false}
              isInThread
            />
          ))}
          {actions.mayWrite && (
            <li>
              <button type="button" class="replies" onClick={() => actions.begin({ kind: "reply", message: root })}>
                Reply in this thread
              </button>
            </li>
          )}
        </ol>
      )}
    </div>
  );
}

/** Who sends: a letter on a colour. */
export function Face({ sender, isAgent = false }: { readonly sender: string; readonly isAgent?: boolean }) {
  return (
    <span class={isAgent ? "face agent" : "face"} style={{ "--hue": hueOf(sender) }} aria-hidden="true">
      {initialOf(sender)}
    </span>
  );
}

/** A name, set apart so that its letters turn nothing around it. */
export function Name({ sender }: { readonly sender: string }) {
  return (
    <bdi class="name" style={{ "--hue": hueOf(sender) }}>
      {sender === "" ? "no name" : readable(sender)}
    </bdi>
  );
}

/** A mark that a message of this page is kept. */
export function Kept({ id, receivers, time }: Receipt) {
  const readers = receivers === 1 ? "1 reader" : `${receivers} readers`;
  return (
    <span class="kept" title={`Kept as ${id} at ${fullTime(new Date(time))}, offered to ${readers}`}>
      ✓<span class="unseen"> kept</span>
    </span>
  );
}

/** Who sent a message, how, and when. */
export function Head({
  message: { sender, verified, via, event, id },
  time,
  hasEvent,
}: {
  readonly message: Message;
  readonly time: Date;
  readonly hasEvent: boolean;
}) {
  return (
    <p class="who">
      <Name sender={sender} />
      {verified === true && (
        <span class="verified" title="The server has verified this name">
          ✓<span class="unseen"> verified</span>
        </span>
      )}
      {via === "tool" && (
        <Tag text="agent" kind="tag agent" title="Sent with the tool send_sse_message, as agents do" />
      )}
      {via === "webhook" && <Tag text="webhook" title="Came as a webhook, with a signature that was right" />}
      {via?.startsWith("bridge:") && <Tag text={via.slice(7)} title="Came over this bridge, from another system" />}
      {hasEvent && event !== "message" && <Tag text={event} title="The event of this message" />}
      {id === null && <Tag text="not kept" title="An ephemeral message: only those who were here saw it" />}
      <Time time={time} />
    </p>
  );
}

function Tag({ text, title, kind = "tag" }: { readonly text: string; readonly title: string; readonly kind?: string }) {
  return (
    <span class={kind} title={title}>
      <bdi>{readable(text)}</bdi>
    </span>
  );
}

function Time({ time, kind }: { readonly time: Date; readonly kind?: string }) {
  return (
    <time class={kind} dateTime={time.toISOString()} title={fullTime(time)}>
      {clock(time)}
    </time>
  );
}
