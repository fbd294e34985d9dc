import type { Outgoing } from "../../bus.ts";
import { levelProblem, render } from "../../template.ts";

/** A subject to publish on: words joined by dots, without wildcards. */
const PUBLISHABLE = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;
/** A subject to receive from: `*` stands for one word, and `>` at the end for one or more. */
const RECEIVABLE = /^(?:[^\s.*>]+|\*)(?:\.(?:[^\s.*>]+|\*))*(?:\.>)?$|^>$/;
/** Bytes of a subject to publish on: a server ends the connection after a command of more than 4 KiB, by default. */
const MAX_SUBJECT = 3800;
/** What may not add words to a subject; a channel and an event, such as `order.created`, may. */
const ONE_WORD: readonly string[] = ["sender"];
/** Begins a subject that is reserved for the server, but not a template that begins with a placeholder. */
const OF_SERVER = /^\$(?!\{)/;

/** What is wrong with a subject to receive from; undefined if nothing is. */
export function subjectProblem(subject: string): string | undefined {
  if (RECEIVABLE.test(subject)) return undefined;
  return `${JSON.stringify(subject)} is not a subject; use words joined by dots, * for one word and > at the end for the rest, such as orders.>`;
}

/** Two of these subjects that can match the same message; undefined if no two do. */
export function overlapping(subjects: readonly string[]): readonly [string, string] | undefined {
  for (const [index, one] of subjects.entries()) {
    const other = subjects.slice(index + 1).find((next) => overlap(one.split("."), next.split(".")));
    if (other !== undefined) return [one, other];
  }
  return undefined;
}

/** The subject of a message to send. Throws an `Error` that says why if it has no valid one. */
export function subjectFor(template: string, { names }: Outgoing): string {
  const subject = render(template, names);
  if (subject === undefined) throw new Error(`it has no value for a placeholder of its subject, ${template}`);
  if (!PUBLISHABLE.test(subject)) throw new Error(`${JSON.stringify(subject)} is not a subject to publish on`);
  if (Buffer.byteLength(subject) > MAX_SUBJECT)
    throw new Error(`its subject is longer than ${MAX_SUBJECT} bytes: ${subject.slice(0, 50)}…`);
  const problem = levelProblem(template, names, ONE_WORD, ".");
  if (problem !== undefined) throw new Error(problem);
  // What clients publish must not reach $JS.API, which can delete streams.
  if (OF_SERVER.test(subject) && !OF_SERVER.test(template)) {
    throw new Error(`${JSON.stringify(subject)} is reserved for the server`);
  }
  return subject;
}

/** A subject that matches everything a template can make: `hub.>` for `hub.${channel}`. */
export function subjectsOf(template: string): string {
  const place = template.indexOf("${");
  return place === -1 ? template : `${template.slice(0, template.lastIndexOf(".", place) + 1)}>`;
}

function overlap([one, ...rest]: readonly string[], [other, ...others]: readonly string[]): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one === ">" || other === ">") return true;
  return (one === other || one === "*" || other === "*") && overlap(rest, others);
}
