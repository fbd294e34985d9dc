import { messageFilter } from "../../protocol/message-filter.ts";
import { duration } from "../since.ts";
import { UsageError } from "../usage.ts";
import { LEAST_LINE } from "./line.ts";
import type { Budget, WakeOptions } from "./wakes.ts";

/** The options of `tail` that say what it does with which messages. */
export const WAKE_OPTIONS = {
  json: { type: "boolean" },
  "max-line": { type: "string" },
  exec: { type: "string" },
  codex: { type: "string" },
  thread: { type: "string" },
  tries: { type: "string" },
  place: { type: "string" },
  "except-sender": { type: "string", multiple: true },
  mention: { type: "string", multiple: true },
  event: { type: "string", multiple: true },
  coalesce: { type: "boolean" },
  "at-most": { type: "string" },
  "max-age": { type: "string" },
} as const;

export const WAKE_HELP = `  --json        whole messages as JSON, a line each
  --max-line    characters of a line at most; a longer one is cut, and says so
  --exec        a command of the shell, run for each message with its JSON on standard input: one after the other, in
                order, and again with longer and longer pauses until it ends with 0
  --codex, --thread
                the address of a codex app-server, such as ws://127.0.0.1:4500, and a thread in which a turn is started
  --tries       how many times a command or a turn is tried at most; then the message is passed over, and its id printed
  --place       a file that keeps how far it has come: after each line, and each command that ended with 0
  --except-sender, --mention, --event
                only messages that are not from this sender, that say @name, of this event; each may be repeated
  --coalesce    what came meanwhile is given as one: {"count", "after", "next", "newest"}
  --at-most     lines or commands at most, such as 6/h or 1/m; the rest waits, with --coalesce as one
  --max-age     older messages are passed over, such as 15m
`;

interface WakeValues {
  readonly json?: boolean | undefined;
  readonly "max-line"?: string | undefined;
  readonly "except-sender"?: readonly string[] | undefined;
  readonly mention?: readonly string[] | undefined;
  readonly event?: readonly string[] | undefined;
  readonly coalesce?: boolean | undefined;
  readonly "at-most"?: string | undefined;
  readonly "max-age"?: string | undefined;
}

const BUDGET = /^([1-9]\d{0,5})\/([smhd])$/;

/** Reads which messages are given, and how often. Throws `UsageError`. */
export function wakeOptions(values: WakeValues, since: number | undefined): WakeOptions {
  const { "except-sender": exceptSender, mention: mentions, event: events, coalesce = false } = values;
  for (const name of [...(exceptSender ?? []), ...(mentions ?? []), ...(events ?? [])])
    if (name === "" || name === "@") throw new UsageError("--except-sender, --mention and --event take a name each");
  return {
    filter: messageFilter({ exceptSender, mentions, events }),
    since,
    maxAge: ageOf(values["max-age"]),
    coalesce,
    budget: budgetOf(values["at-most"]),
  };
}

/** Characters of a line at most. Throws `UsageError`. */
export function maxLine(given: string | undefined): number {
  if (given === undefined) return Infinity;
  const most = Number(given);
  if (Number.isInteger(most) && most >= LEAST_LINE) return most;
  throw new UsageError(`--max-line is ${JSON.stringify(given)}; use a number of characters, at least ${LEAST_LINE}`);
}

/** How many times something is tried at most. Throws `UsageError`. */
export function mostTries(given: string | undefined): number {
  if (given === undefined) return Infinity;
  const most = Number(given);
  if (Number.isInteger(most) && most >= 1 && most <= 1000) return most;
  throw new UsageError(`--tries is ${JSON.stringify(given)}; use a number from 1 to 1000`);
}

function ageOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const age = duration(given);
  if (age !== undefined) return age;
  throw new UsageError(`--max-age is ${JSON.stringify(given)}; use how long ago, such as 90s, 15m or 2h`);
}

function budgetOf(given: string | undefined): Budget | undefined {
  if (given === undefined) return undefined;
  const [, wakes, unit] = BUDGET.exec(given) ?? [];
  const milliseconds = unit === undefined ? undefined : duration(`1${unit}`);
  if (milliseconds !== undefined) return { wakes: Number(wakes), milliseconds };
  throw new UsageError(`--at-most is ${JSON.stringify(given)}; use a number in a time, such as 6/h, 1/m or 20/d`);
}
