import { setTimeout as pause } from "node:timers/promises";
import { SseParser, type SseEvent } from "../wire/sse.ts";
import type { Command } from "./command.ts";
import { DEFAULT_URL, failed, HubUnreachable, hubUrl, parsed, refusal, unreachable } from "./usage.ts";

const RETRY = 2000;

/** `sse-mcp-server tail`: prints what is published, and comes back where it stopped when the connection breaks. */
export const tail: Command = {
  name: "tail",
  summary: "print messages as they come: tail [CHANNEL…]",
  help: `Usage: sse-mcp-server tail [CHANNEL…] [OPTIONS]

Prints what is published on the channels (default: default), a line each; patterns such as orders.* are channels too.
When the connection breaks it comes back and prints what it missed. What cannot be given any more is said on standard error.

Options:
  --url     where the hub is (${DEFAULT_URL})
  --since   the id of a message: begin behind it; earliest: with all that is kept
  --json    whole messages as JSON, a line each
`,
  run: (words) => follow(words).catch(failed),
};

interface Printed {
  readonly id: string;
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
  readonly sender: string;
  readonly time: string;
}

async function follow(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, { url: text, since: text, json: { type: "boolean" } });
  const url = new URL("/events?format=json", hubUrl(values.url));
  if (positionals.length > 0) url.searchParams.set("channel", positionals.join(","));
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  // Who reads what is printed may have enough, as head does.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    stop.abort();
  });
  const parser = new SseParser((event) => print(event, values.json === true));
  parser.lastId = values.since ?? "";
  let connected = false;
  while (!stop.signal.aborted) {
    try {
      await read(url, parser, stop.signal, () => (connected = true));
      note("the connection ended; coming back");
    } catch (error) {
      if (stop.signal.aborted) break;
      // A hub that was never there is a mistake; one that was there comes back.
      if (!connected || !(error instanceof HubUnreachable)) throw error;
      note(error.message);
    }
    await pause(parser.retry ?? RETRY, undefined, { signal: stop.signal }).catch(() => {});
  }
  return 0;
}

/** Reads one connection to its end. */
async function read(url: URL, parser: SseParser, signal: AbortSignal, opened: () => void): Promise<void> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (parser.lastId !== "") headers["last-event-id"] = parser.lastId;
  const response = await fetch(url, { headers, signal }).catch((cause: unknown) => {
    throw unreachable(url, cause);
  });
  if (!response.ok || response.body === null) throw await refusal(response);
  opened();
  parser.reset();
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  } catch (cause) {
    throw new HubUnreachable("the connection broke; coming back", { cause });
  }
}

function print({ event, data }: SseEvent, json: boolean): void {
  if (event === "live") return;
  if (event === "gap") {
    const { reason, after, resumed } = JSON.parse(data) as { reason: string; after: string; resumed: string };
    note(`messages are missing (${reason}) between ${after} and ${resumed}`);
    return;
  }
  if (json) {
    process.stdout.write(`${data}\n`);
    return;
  }
  const { time, channel, sender, event: name, data: value } = JSON.parse(data) as Printed;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  process.stdout.write(`${time} ${channel}${name === "message" ? "" : ` [${name}]`} ${sender}: ${text}\n`);
}

function note(sentence: string): void {
  process.stderr.write(`sse-mcp-server tail: ${sentence}\n`);
}
