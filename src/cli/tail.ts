import { once } from "node:events";
import { connect, HubClientError, type HubState, type Message } from "../client/index.ts";
import { oneLine, oneLineData, oneLineName } from "../protocol/text.ts";
import { keptJson } from "../protocol/json.ts";
import type { Command } from "./command.ts";
import { beginning } from "./since.ts";
import { DEFAULT_URL, failed, HubUnreachable, hubUrl, parsed } from "./usage.ts";

/** `sse-mcp-server tail`: prints what is published, and comes back where it stopped when the connection breaks. */
export const tail: Command = {
  name: "tail",
  summary: "print messages as they come: tail [CHANNEL…]",
  help: `Usage: sse-mcp-server tail [CHANNEL…] [OPTIONS]

Prints what is published on the channels (default: default), a line each; patterns such as orders.* are channels too.
A text that would break the line or move the cursor is printed as a JSON string.
When the connection breaks it comes back and prints what it missed. What cannot be given any more is said on standard error.

Options:
  --url     where the hub is (${DEFAULT_URL})
  --since   begin after the message of this id; at a time such as 2026-11-28T09:30:00Z; so long ago, such as 90s,
            10m, 1h30m or 2d; or with all that is kept: earliest
  --json    whole messages as JSON, a line each
`,
  run: (words) => follow(words).catch(failed),
};

async function follow(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, { url: text, since: text, json: { type: "boolean" } });
  const begin = beginning(values.since);
  const stop = new AbortController();
  const { signal } = stop;
  const end = (): void => stop.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  // Who reads what is printed may have enough, as head does.
  process.stdout.once("error", end);
  await using hub = connect(hubUrl(values.url), { signal, parse: keptJson });
  let neverThere: HubClientError | undefined;
  hub.onState(
    stateNotes((error) => {
      neverThere = error;
      stop.abort();
    }),
  );
  try {
    const messages = hub.subscribe(positionals.length === 0 ? "default" : positionals, {
      ...(begin.after !== undefined && { after: begin.after }),
      onGap: ({ reason, after, resumed }) => note(`messages are missing (${reason}) between ${after} and ${resumed}`),
    });
    // What is taken slowly is read slowly: the place is kept, and the rest waits in the log.
    let isEarly = begin.time !== undefined;
    for await (const message of messages) {
      isEarly &&= Date.parse(message.time) < (begin.time ?? 0);
      if (isEarly) continue;
      if (!process.stdout.write(lineOf(message, values.json === true))) await once(process.stdout, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw refused(error);
  }
  if (neverThere !== undefined) throw refused(neverThere);
  return 0;
}

/** Says when a connection is lost and will come back. A hub that was never there is a mistake, and `missing` is told. */
function stateNotes(missing: (error: HubClientError) => void): (state: HubState) => void {
  let met = false;
  let said = "";
  return (state) => {
    if (state.kind === "live") {
      met = true;
      said = "";
    }
    if (state.kind !== "waiting") return;
    const { code, message } = state.error;
    if (!met && code === "UNREACHABLE") missing(state.error);
    // Once for all attempts that fail alike.
    else if (said !== (said = code)) note(`${message}; coming back`);
  };
}

/** Why the hub is not read, or not any more, as an error of the command line. */
function refused(error: unknown): unknown {
  if (!(error instanceof HubClientError)) return error;
  const { code, message } = error;
  const sentence =
    code === "UNREACHABLE" ? `${message}; start one with sse-mcp-server, or give --url` : `${code}: ${message}`;
  return new HubUnreachable(sentence, { cause: error });
}

function lineOf(message: Message, json: boolean): string {
  if (json) return `${oneLineData({ ...message })}\n`;
  const { time, channel, sender, event, data } = message;
  const named = event === "message" ? "" : ` [${oneLineName(event)}]`;
  return `${oneLine(time)} ${oneLineName(channel)}${named} ${oneLineName(sender)}: ${oneLineData(data)}\n`;
}

function note(sentence: string): void {
  process.stderr.write(`${oneLine(`sse-mcp-server tail: ${sentence}`)}\n`);
}
