import { oneLine, oneLineName } from "../protocol/text.ts";
import { duration } from "./since.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf } from "./credentials.ts";
import {
  DEFAULT_URL,
  failed,
  CommandFailed,
  hubUrl,
  parsed,
  post,
  routeUrl,
  UsageError,
  type Command,
} from "./usage.ts";

/** Bytes of standard input that are read: more than a hub takes by default, so that its refusal names its limit. */
const MAX_BYTES = 64 * 1024 * 1024;

const WORDS = "publish takes CHANNEL and TEXT, or TEXT on standard input; put a TEXT of several words in quotes";

/** What can be the value of a header. */
const IN_HEADER = /^[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?$/;

/** `sse-mcp-server publish`: one message to a running hub. */
export const publish: Command = {
  name: "publish",
  summary: "publish a message: publish CHANNEL TEXT",
  help: `Usage: sse-mcp-server publish CHANNEL TEXT [OPTIONS]
       COMMAND | sse-mcp-server publish CHANNEL [OPTIONS]

Publishes TEXT and prints its id and how many readers it was offered to. Without TEXT, or if it is -, standard input is
published, less one line break at its end.

Options:
  --url        where the hub is (${DEFAULT_URL})
${credentialHelp(15)}  --event      SSE event name (message)
  --sender     who sends it
  --key        an idempotency key: the same key again publishes nothing new
  --json       TEXT is JSON, not a string
  --ephemeral  reaches those who read now, is not kept and has no id
  --at         publishes it at a time, such as 2030-01-31T09:00:00+01:00
  --in         publishes it later, such as in 90s, 10m, 2h or 1d
`,
  run: (words) => send(words).catch(failed),
};

async function send(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    event: text,
    sender: text,
    key: text,
    json: { type: "boolean" },
    ephemeral: { type: "boolean" },
    at: text,
    in: text,
  });
  const [channel, given, more] = positionals;
  if (channel === undefined || more !== undefined) throw new UsageError(WORDS);
  const url = routeUrl(hubUrl(values.url), `channels/${encodeURIComponent(channel)}/messages`);
  if (values.event !== undefined) url.searchParams.set("event", values.event);
  if (values.sender !== undefined) url.searchParams.set("sender", values.sender);
  if (values.at !== undefined) url.searchParams.set("at", values.at);
  if (values.in !== undefined) url.searchParams.set("delaySeconds", String(secondsIn(values.in)));
  if (values.ephemeral) url.searchParams.set("ephemeral", "true");
  const body = given === undefined || given === "-" ? await piped(given === "-") : given;
  const headers = {
    ...credentialsOf(values).headers(),
    "content-type": values.json ? "application/json" : "text/plain; charset=utf-8",
    ...(values.key === undefined ? {} : { "idempotency-key": values.key }),
    ...traceHeaders(process.env),
  };
  const { id, receivers, at } = await post(url, { body, headers });
  if (typeof id === "string" && typeof at === "string") {
    process.stdout.write(`${oneLineName(id)} is published at ${oneLine(at)}\n`);
    return 0;
  }
  if (typeof receivers !== "number" || (id !== null && typeof id !== "string"))
    throw new CommandFailed(`${url.origin} answered without a receipt; give the address of a hub with --url`);
  const what = id === null ? "not kept," : oneLineName(id);
  process.stdout.write(`${what} offered to ${receivers} ${receivers === 1 ? "reader" : "readers"}\n`);
  return 0;
}

/** Seconds of `--in`. Throws `UsageError`. */
function secondsIn(text: string): number {
  const milliseconds = duration(text);
  if (milliseconds !== undefined) return milliseconds / 1000;
  throw new UsageError(`--in is ${JSON.stringify(text)}; use how long from now, such as 90s, 10m, 2h or 1d`);
}

/** Where the calling program is in a trace (OpenTelemetry, "Environment Variables as Context Propagation Carriers"). */
function traceHeaders({ TRACEPARENT, TRACESTATE }: NodeJS.ProcessEnv): Record<string, string> {
  if (TRACEPARENT === undefined || !IN_HEADER.test(TRACEPARENT)) return {};
  const hasState = TRACESTATE !== undefined && IN_HEADER.test(TRACESTATE);
  return { traceparent: TRACEPARENT, ...(hasState ? { tracestate: TRACESTATE } : {}) };
}

/** Standard input as text, less one line break at its end, which echo and heredocs add. */
async function piped(isAsked: boolean): Promise<string> {
  if (!isAsked && process.stdin.isTTY) throw new UsageError(WORDS);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BYTES)
      throw new UsageError(`standard input is longer than ${MAX_BYTES} bytes; publish a link to what is large`);
  }
  if (bytes === 0 && !isAsked) throw new UsageError(WORDS);
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return decoder.decode(Buffer.concat(chunks)).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new UsageError("standard input is not UTF-8 text; convert it, or publish it as base64", { cause });
  }
}
