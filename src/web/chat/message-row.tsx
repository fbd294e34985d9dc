import { Component, type ComponentChild } from "preact";
import type { Message, Receipt } from "../../client/index.ts";
import { hueOf, initialOf, readable } from "../shared/names.ts";
import { QUESTION_EVENTS, type Question } from "../../protocol/question.ts";
import { QuestionCard, QuestionEnd } from "../questions/card.tsx";
import { isNotice, NoticeLine } from "../questions/notice.tsx";
import type { Desk } from "../questions/desk.ts";
import { clock, fullTime } from "../shared/times.ts";
import { dayName, placeOf } from "./grouping.ts";
import { Said } from "./said.tsx";

interface MessageRowProps {
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
}

/** A message; rendered again only if what it shows is something else. */
export class MessageRow extends Component<MessageRowProps> {
  override shouldComponentUpdate(next: MessageRowProps): boolean {
    return (Object.keys(next) as (keyof MessageRowProps)[]).some((name) => next[name] !== this.props[name]);
  }

  override render(): ComponentChild {
    const { message, receipt, above, isDirectlyBelow, question, whyNot, desk } = this.props;
    const { beginsDay, hasHead } = placeOf(message, above);
    const time = new Date(message.time);
    const isHead = hasHead || !isDirectlyBelow;
    return (
      <li class={isHead ? "row head" : "row"}>
        {beginsDay && (
          <h2 class="day">
            <span>{dayName(time, new Date())}</span>
          </h2>
        )}
        {isHead ? (
          <>
            <Face sender={message.sender} isAgent={message.via === "tool"} />
            <Head message={message} time={time} hasEvent={question === undefined} />
          </>
        ) : (
          <Time time={time} kind="aside" />
        )}
        <Content message={message} question={question} whyNot={whyNot} desk={desk} />
        {receipt !== undefined && <Kept {...receipt} />}
      </li>
    );
  }
}

function Content({ message, question, ...rest }: Pick<MessageRowProps, "message" | "question" | "whyNot" | "desk">) {
  if (isNotice(message)) return <NoticeLine data={message.data} />;
  if (question === undefined) return <Said data={message.data} />;
  if (message.event === QUESTION_EVENTS.opened) return <QuestionCard question={question} {...rest} />;
  return question.state === "closed" ? <QuestionEnd question={question} /> : <Said data={message.data} />;
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

function Head({
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
