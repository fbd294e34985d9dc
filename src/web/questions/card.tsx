import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Answer, Question } from "../../protocol/question.ts";
import { visibleJson, visibleText } from "../../protocol/visible.ts";
import { WithLinks } from "../shared/links.tsx";
import { markdown, useMarkdown } from "../shared/markdown.tsx";
import { readable } from "../shared/names.ts";
import { clock, fullTime } from "../shared/times.ts";
import type { Desk } from "./desk.ts";
import { AnswerControls } from "./answer-controls.tsx";
import { dueText, outcomeText, timeLeft } from "./words.ts";

/** Arguments of a proposal that are shown without being asked for: lines. */
const SHORT = 12;

interface CardProps {
  readonly question: Question;
  /** Why this person cannot answer it now; undefined if they can. */
  readonly whyNot: string | undefined;
  readonly desk: Desk;
  /** Whether to say who asks, where and when: nothing beside the card does. */
  readonly isAlone?: boolean;
}

/** A question with what it takes to answer it, and how it ended. */
export function QuestionCard({ question, whyNot, desk, isAlone = false }: CardProps) {
  const title = useId();
  const { id, text, asker, askedAt, channel, context, proposal, assignees, asksUser, urgency, state, deadline } =
    question;
  const isOpen = state === "open";
  return (
    <article class={`question ${state} ${urgency}`} aria-labelledby={title} data-question={id}>
      <p class="asks">
        {isAlone && (
          <>
            <bdi class="asker">{readable(asker)}</bdi> asks in <a href={`#${encodeURIComponent(channel)}`}>{channel}</a>
            <time dateTime={askedAt} title={fullTime(new Date(askedAt))}>
              {clock(new Date(askedAt))}
            </time>
          </>
        )}
        {isOpen && urgency === "high" && <strong class="urgent">urgent</strong>}
        {isOpen && deadline !== undefined && <Countdown question={question} />}
      </p>
      <h3 id={title} dir="auto">
        {visibleText(text)}
      </h3>
      {context !== undefined && <Context text={visibleText(context)} />}
      {proposal !== undefined && <Proposed {...proposal} />}
      {assignees !== undefined && isOpen && <p class="for">For {assignees.map(readable).join(", ")}</p>}
      {asksUser === true && isOpen && (
        <p class="for">
          The user of <bdi>{readable(asker)}</bdi> is asked there, too; the first answer counts
        </p>
      )}
      {isOpen ? <OpenPart question={question} whyNot={whyNot} desk={desk} /> : <Ended question={question} />}
    </article>
  );
}

/** What the asker wrote to explain it. */
function Context({ text }: { readonly text: string }) {
  useMarkdown();
  const elements = markdown(text);
  return (
    <div class={elements === undefined ? "context said" : "context said marked"} dir="auto">
      {elements ?? <WithLinks text={text} />}
    </div>
  );
}

/** Exactly what is to be done. */
function Proposed({ name, arguments: given, hash }: NonNullable<Question["proposal"]>) {
  const json = visibleJson(given, 2);
  return (
    <details class="proposal" open={json.split("\n").length <= SHORT}>
      <summary title={`SHA-256 ${hash}`}>
        Exactly <code>{readable(name)}</code> with
      </summary>
      <pre dir="ltr" tabIndex={0}>
        {json}
      </pre>
    </details>
  );
}

function Countdown({ question }: { readonly question: Question }) {
  const [now, tick] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span class="countdown" role="timer" title={dueText(question)}>
      {timeLeft(Date.parse(question.deadline ?? "") - now)}
    </span>
  );
}

function OpenPart({ question, whyNot, desk }: Omit<CardProps, "isAlone">) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  const answer = async (value: Answer): Promise<void> => {
    setBusy(true);
    setError("");
    const failure = await desk.answer(question, value).then(
      () => "",
      (reason: unknown) => (reason as Error).message,
    );
    if (isGone.current) return;
    setBusy(false);
    setError(failure);
  };
  return (
    <>
      <AnswerControls
        form={question.answer}
        isDisabled={isBusy || whyNot !== undefined}
        answer={(value) => void answer(value)}
      />
      <p class="below">
        {whyNot !== undefined && <span class="why-not">{whyNot}</span>}
        {desk.reply !== undefined && (
          <button type="button" class="reply" onClick={() => desk.reply?.(question)}>
            Reply instead
          </button>
        )}
      </p>
      <p class="failure" role="alert">
        {error}
      </p>
    </>
  );
}

/** How a question ended, as a line of its own. */
export function QuestionEnd({ question }: { readonly question: Question }) {
  return (
    <div class="question-end">
      <Ended question={question} />
      <span dir="auto">{visibleText(question.text)}</span>
    </div>
  );
}

function Ended({ question }: { readonly question: Question }) {
  const { mark, text, by } = outcomeText(question);
  return (
    <p class="outcome" data-outcome={question.outcome}>
      <span class="mark" aria-hidden="true">
        {mark}
      </span>{" "}
      <strong dir="auto">{visibleText(text)}</strong> <bdi class="by">{visibleText(by)}</bdi>
    </p>
  );
}
