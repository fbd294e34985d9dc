import { setTimeout as pause } from "node:timers/promises";
import { isObject } from "../protocol/json.ts";
import type { Answer, Question } from "../protocol/question.ts";
import { oneLine, oneLineName } from "../protocol/text.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf } from "./credentials.ts";
import { duration } from "./since.ts";
import {
  CommandFailed,
  DEFAULT_URL,
  failed,
  get,
  HubAway,
  hubUrl,
  parsed,
  post,
  routeUrl,
  UsageError,
} from "./usage.ts";
import type { Command } from "./usage.ts";

/** Seconds of one request that waits: below the minute after which many proxies end it. */
const WAIT = 50;
/** Milliseconds until a hub that does not answer is asked again. */
const AGAIN = 2000;
/** Exit codes besides 0, for an answer, and those of every command. */
const [NO, NO_ANSWER] = [3, 4];

/** `sse-mcp-server ask`: a question to people, and their answer. */
export const ask: Command = {
  name: "ask",
  summary: "ask people, and wait: ask CHANNEL TEXT",
  help: `Usage: sse-mcp-server ask CHANNEL TEXT [OPTIONS]

Asks whoever looks at CHANNEL, waits, and prints the answer. TEXT is answered with yes or no, unless options or --text
say otherwise.

Options:
  --url          where the hub is (${DEFAULT_URL})
${credentialHelp(17)}  --option       an answer to choose from; give it for each, 2 to 10 times
  --text         people answer in their own words; several lines are printed as a JSON string
  --yes, --no    what the two buttons say, such as --yes Deploy
  --destructive  yes cannot be undone
  --context      what one has to know to answer, in Markdown
  --proposal     what is to be done, exactly, as JSON: {"name": "deploy", "arguments": {"version": "2.14"}}
  --as           who asks
  --for          who may answer; give it for each
  --deadline     when an answer is due, such as 10m or 2h: then it is closed without one
  --wait         how long to wait (1d); the question stays open
  --json         prints the question as JSON when it is closed

Exit codes: 0 with an answer, 3 if that is no, 4 if no one answered, 1 if it cannot be asked, 2 for wrong arguments.
`,
  run: (words) => asked(words).catch(failed),
};

async function asked(words: readonly string[]): Promise<number> {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }] as const;
  const many = { type: "string", multiple: true } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    option: many,
    text: flag,
    yes: text,
    no: text,
    destructive: flag,
    context: text,
    proposal: text,
    as: text,
    for: many,
    deadline: text,
    wait: text,
    json: flag,
  });
  const [channel, sentence, more] = positionals;
  if (channel === undefined || sentence === undefined || more !== undefined) {
    throw new UsageError("ask takes CHANNEL and TEXT; put a TEXT of several words in quotes");
  }
  const hub = hubUrl(values.url);
  const headers = credentialsOf(values).headers();
  const deadlineSeconds = secondsOf("deadline", values.deadline);
  const end = performance.now() + 1000 * (secondsOf("wait", values.wait) ?? 86_400);
  const body = {
    channel,
    text: sentence,
    answer: formOf(values),
    context: values.context,
    proposal: proposalIn(values.proposal),
    asker: values.as,
    assignees: values.for,
    ...(deadlineSeconds === undefined ? {} : { deadlineSeconds, onTimeout: "deny" }),
  };
  const question = await post(routeUrl(hub, "questions"), {
    body: JSON.stringify(body),
    headers: { ...headers, "content-type": "application/json" },
  });
  const { id, notified } = question;
  if (typeof id !== "string")
    throw new CommandFailed(`${hub.origin} answered without a question; give the address of a hub`);
  const count = typeof notified === "number" ? notified : 0;
  const readers = count === 1 ? "1 reader" : `${count} readers`;
  process.stderr.write(`asked ${readers} of ${oneLineName(channel)}, as ${oneLineName(id)}\n`);
  const closed = await answerTo(routeUrl(hub, `questions/${id}`), headers, end);
  if (values.json) process.stdout.write(`${JSON.stringify(closed)}\n`);
  return told(closed, values.json === true);
}

/** The question when it is closed, or as it is when the time is up. */
async function answerTo(url: URL, headers: Readonly<Record<string, string>>, end: number): Promise<Question> {
  for (;;) {
    const left = Math.max((end - performance.now()) / 1000, 0);
    url.searchParams.set("wait", String(Math.min(left, WAIT)));
    try {
      const question = (await get(url, { headers })) as unknown as Question;
      if (question.state === "closed" || performance.now() >= end) return question;
    } catch (error) {
      // The question is kept: a hub that starts again knows it.
      if (!(error instanceof HubAway) || performance.now() >= end) throw error;
      await pause(AGAIN);
    }
  }
}

/** Prints how it ended; returns the exit code. */
function told({ answer, answered, outcome, defaultAnswer }: Question, isSilent: boolean): number {
  const value = answered?.value ?? (outcome === "timed_out" ? defaultAnswer : undefined);
  if (value === undefined) {
    process.stderr.write(`no answer: ${outcome ?? "open"}\n`);
    return NO_ANSWER;
  }
  if (answered !== undefined) process.stderr.write(`answered by ${oneLineName(answered.by)}\n`);
  if (!isSilent) process.stdout.write(`${textOf(value)}\n`);
  return answer.kind === "confirm" && value === false ? NO : 0;
}

function textOf(value: Answer): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? oneLine(value) : JSON.stringify(value);
}

interface FormOptions {
  readonly option?: string[] | undefined;
  readonly text?: boolean | undefined;
  readonly yes?: string | undefined;
  readonly no?: string | undefined;
  readonly destructive?: boolean | undefined;
}

/** What may be answered. Throws `UsageError`. */
function formOf({ option, text, yes, no, destructive }: FormOptions): object {
  const isConfirm = yes !== undefined || no !== undefined || destructive === true;
  if ([option !== undefined, text === true, isConfirm].filter(Boolean).length > 1) {
    throw new UsageError("give --option, or --text, or --yes, --no and --destructive: they say what may be answered");
  }
  if (option !== undefined) return { kind: "choice", options: option.map((value) => ({ value })) };
  if (text === true) return { kind: "text" };
  return {
    kind: "confirm",
    ...(yes === undefined ? {} : { yes }),
    ...(no === undefined ? {} : { no }),
    ...(destructive === true ? { destructive } : {}),
  };
}

/** What is to be done; the hub checks the rest of it. Throws `UsageError`. */
function proposalIn(text: string | undefined): object | undefined {
  if (text === undefined) return undefined;
  try {
    const proposal: unknown = JSON.parse(text);
    if (isObject(proposal)) return proposal;
  } catch {
    // The sentence says what to use.
  }
  throw new UsageError('--proposal is not a JSON object; use one such as {"name": "deploy", "arguments": {}}');
}

function secondsOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = duration(text);
  if (milliseconds !== undefined) return milliseconds / 1000;
  throw new UsageError(`--${option} is ${JSON.stringify(text)}; use how long, such as 90s, 10m, 2h or 1d`);
}
