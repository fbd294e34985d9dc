import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Question } from "../../protocol/question.ts";
import { QuestionCard } from "../questions/card.tsx";
import type { Desk } from "../questions/desk.ts";
import {
  answeredDemo,
  demoQuestion,
  PATIENCE,
  REACTION,
  reactionTo,
  STEP,
  STEPS,
  type DemoStep,
} from "./demo-script.ts";

/** Shows in the page alone, in about 20 seconds, how an agent asks and a person answers. */
export function Demo({ close }: { readonly close: () => void }) {
  const [run, setRun] = useState(0);
  return <DemoRun key={run} again={() => setRun(run + 1)} close={close} />;
}

function DemoRun({ again, close }: { readonly again: () => void; readonly close: () => void }) {
  const [isStill] = useState(() => matchMedia("(prefers-reduced-motion: reduce)").matches);
  const [shown, setShown] = useState(isStill ? STEPS.length : 1);
  const [question, setQuestion] = useState(() => demoQuestion(new Date()));
  const [hasReacted, react] = useState(false);
  const section = useRef<HTMLElement>(null);
  const answer = (value: boolean, by: string): void => setQuestion(answeredDemo(question, value, by, new Date()));
  const value = question.answered?.value;

  useEffect(() => section.current?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => section.current?.lastElementChild?.scrollIntoView({ block: "nearest" }), [shown, hasReacted]);
  useEffect(() => {
    if (shown === STEPS.length) return undefined;
    const timer = setTimeout(() => setShown(shown + 1), STEP);
    return () => clearTimeout(timer);
  }, [shown]);
  useEffect(() => {
    if (shown < STEPS.length || hasReacted) return undefined;
    // Whoever wants nothing to move decides when it goes on.
    if (value === undefined && isStill) return undefined;
    const next = value === undefined ? (): void => answer(true, "Ana, of the demo") : (): void => react(true);
    const timer = setTimeout(next, value === undefined ? PATIENCE : REACTION);
    return () => clearTimeout(timer);
  }, [shown, value, hasReacted]);

  const desk: Desk = {
    whyNot: () => undefined,
    answer: async (_, given) => answer(given === true, "you"),
  };
  const steps = [...STEPS.slice(0, shown), ...(hasReacted ? [reactionTo(value === true)] : [])];
  return (
    <section class="demo" ref={section} tabIndex={-1} aria-label="Demo">
      <p class="demo-note">
        <strong>Demo</strong> It happens in this page only: nothing is sent, and nothing is kept.
      </p>
      <ol aria-live="polite">
        {steps.map((step, index) => (
          <li key={index}>
            <Step step={step} question={question} desk={desk} />
          </li>
        ))}
      </ol>
      <p class="demo-buttons">
        {hasReacted && (
          <button type="button" onClick={again}>
            Show it again
          </button>
        )}
        <button type="button" class="demo-close" onClick={close}>
          Close the demo
        </button>
      </p>
    </section>
  );
}

interface StepProps {
  readonly step: DemoStep;
  readonly question: Question;
  readonly desk: Desk;
}

function Step({ step, question, desk }: StepProps) {
  if (step.kind === "question") {
    return (
      <>
        <Who sender={question.asker} tag="agent" />
        <QuestionCard question={question} whyNot={undefined} desk={desk} />
      </>
    );
  }
  if (step.kind === "call") {
    return (
      <>
        <Who sender={step.sender} tag="calls a tool" />
        <p>
          <code>
            {step.tool} {step.input}
          </code>
        </p>
      </>
    );
  }
  return (
    <>
      <Who sender={step.sender} tag={step.tag} />
      <p>{step.text}</p>
    </>
  );
}

function Who({ sender, tag }: { readonly sender: string; readonly tag: string }) {
  return (
    <p class="demo-who">
      <b>{sender}</b> <span>{tag}</span>
    </p>
  );
}
