import type { Question } from "../../protocol/question.ts";

/** What the demo shows, one after the other. */
export type DemoStep =
  | { readonly kind: "message"; readonly sender: string; readonly tag: string; readonly text: string }
  | { readonly kind: "call"; readonly sender: string; readonly tool: string; readonly input: string }
  | { readonly kind: "question" };

const AGENT = "deploy-agent";

/** Until someone has to answer. */
export const STEPS: readonly DemoStep[] = [
  { kind: "message", sender: "github", tag: "webhook", text: "Build 2.14.0 is green: all 412 tests pass" },
  { kind: "call", sender: AGENT, tool: "read_messages", input: '{"channel":"builds"}' },
  { kind: "message", sender: AGENT, tag: "agent", text: "The build is green. I ask before I deploy it." },
  { kind: "question" },
];

/** Milliseconds between two steps. */
export const STEP = 3000;
/** Milliseconds after which the demo answers its question itself. */
export const PATIENCE = 7000;
/** Milliseconds from the answer to what the agent says then. */
export const REACTION = 1200;

/** The question of the demo, which no server knows. */
export function demoQuestion(askedAt: Date): Question {
  return {
    id: "demo",
    channel: "builds",
    text: "Deploy 2.14.0 to production?",
    answer: { kind: "confirm", yes: "Deploy", no: "Not now" },
    proposal: { name: "deploy", arguments: { version: "2.14.0", environment: "production" }, hash: "none in the demo" },
    urgency: "normal",
    onTimeout: "keep",
    asker: AGENT,
    askedAt: askedAt.toISOString(),
    state: "open",
  };
}

/** The same once it was answered. */
export function answeredDemo(question: Question, value: boolean, by: string, at: Date): Question {
  const time = at.toISOString();
  return {
    ...question,
    state: "closed",
    outcome: "answered",
    closedAt: time,
    answered: { value, by, at: time, via: "page" },
  };
}

/** What the agent says to an answer. */
export function reactionTo(value: boolean): DemoStep {
  const text = value ? "2.14.0 is in production" : "I do not deploy it, and look again tomorrow";
  return { kind: "message", sender: AGENT, tag: "agent", text };
}
