import { text as textOf } from "node:stream/consumers";
import type { Command } from "./command.ts";
import { DEFAULT_URL, failed, hubUrl, parsed, refusal, unreachable, UsageError } from "./usage.ts";

/** `sse-mcp-server publish`: one message to a running hub. */
export const publish: Command = {
  name: "publish",
  summary: "publish a message: publish CHANNEL TEXT",
  help: `Usage: sse-mcp-server publish CHANNEL TEXT [OPTIONS]

Publishes TEXT, or standard input where TEXT is -, and prints its id and how many readers it was offered to.

Options:
  --url      where the hub is (${DEFAULT_URL})
  --event    SSE event name (message)
  --sender   who sends it
  --key      an idempotency key: the same key again publishes nothing new
  --json     TEXT is JSON, not a string
`,
  run: (words) => send(words).catch(failed),
};

async function send(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    url: text,
    event: text,
    sender: text,
    key: text,
    json: { type: "boolean" },
  });
  const [channel, given, more] = positionals;
  if (channel === undefined || given === undefined || more !== undefined) {
    throw new UsageError("publish takes CHANNEL and TEXT; put a TEXT of several words in quotes");
  }
  const url = new URL(`/channels/${encodeURIComponent(channel)}/messages`, hubUrl(values.url));
  if (values.event !== undefined) url.searchParams.set("event", values.event);
  if (values.sender !== undefined) url.searchParams.set("sender", values.sender);
  const body = given === "-" ? await textOf(process.stdin) : given;
  const headers = {
    "content-type": values.json ? "application/json" : "text/plain; charset=utf-8",
    ...(values.key === undefined ? {} : { "idempotency-key": values.key }),
  };
  const response = await fetch(url, { method: "POST", body, headers }).catch((cause: unknown) => {
    throw unreachable(url, cause);
  });
  if (!response.ok) throw await refusal(response);
  const { id, receivers } = (await response.json()) as { id: string; receivers: number };
  process.stdout.write(`${id} offered to ${receivers} ${receivers === 1 ? "reader" : "readers"}\n`);
  return 0;
}
