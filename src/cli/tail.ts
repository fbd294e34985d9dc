import { once } from "node:events";
import { connect, HubClientError, type HubState, type Message } from "../client/index.ts";
import { oneLine, oneLineData, oneLineName } from "../protocol/text.ts";
import { keptJson } from "../protocol/json.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf } from "./credentials.ts";
import { beginning } from "./since.ts";
import { DEFAULT_URL, failed, CommandFailed, hubUrl, parsed, remedy, type Command } from "./usage.ts";

/** `sse-mcp-server tail`: prints what is published, and reconnects and resumes when the connection breaks. */
export const tail: Command = {
  name: "tail",
  summary: "print messages as they come: tail [CHANNEL…]",
  help: `Usage: sse-mcp-server tail [CHANNEL…] [OPTIONS]

Prints what is published on the channels (default: default), a line each; patterns such as orders.* are channels too.
A text that would break the line or move the cursor is printed as a JSON string.
When the connection breaks it reconnects and prints what it missed. If some of that is no longer kept, it says so on standard error.

Options:
  --url         where the hub is (${DEFAULT_URL})
${credentialHelp(16)}  --since       begin after the message of this id; at a time such as 2026-11-28T09:30:00Z; so long ago, such as 90s,
                10m, 1h30m or 2d; or with all that is kept: earliest
  --json        whole messages as JSON, a line each
`,
  run: (words) => follow(words).catch(failed),
};

async function follow(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    since: text,
    json: { type: "boolean" },
  });
  const begin = beginning(values.since);
  const { headers, isRenewable } = credentialsOf(values);
  const stop = new AbortController();
  const { signal } = stop;
  const end = (): void => stop.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  // The reader of the output may have seen enough, as head has.
  process.stdout.once("error", end);
  await using hub = connect(hubUrl(values.url), {
    signal,
    parse: keptJson,
    headers: isRenewable ? headers : headers(),
  });
  hub.onState(stateNotes((error) => stop.abort(error)));
  try {
    const messages = hub.subscribe(positionals.length === 0 ? "default" : positionals, {
      ...(begin.after !== undefined && { after: begin.after }),
      onGap: ({ reason, after, resumed }) => note(`messages are missing (${reason}) between ${after} and ${resumed}`),
    });
    // Reads no faster than its output is read; the rest waits in the log.
    let isEarly = begin.time !== undefined;
    for await (const message of messages) {
      isEarly &&= Date.parse(message.time) < (begin.time ?? 0);
      if (isEarly) continue;
      if (!process.stdout.write(lineOf(message, values.json === true))) await once(process.stdout, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw refused(error);
  }
  if (signal.reason instanceof HubClientError) throw refused(signal.reason);
  return 0;
}

/** Says when the connection is lost. A hub that was never there is a mistake to report to `missing`, not to wait for. */
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
    // Once for all attempts in a row that fail alike.
    else if (said !== (said = code)) note(`${message}; reconnecting`);
  };
}

/** Why the hub cannot be read, as an error of the command line. */
function refused(error: unknown): unknown {
  if (!(error instanceof HubClientError)) return error;
  const { code, message, status } = error;
  const sentence =
    code === "UNREACHABLE"
      ? `${message}; start one with sse-mcp-server, or give --url`
      : `${code}: ${message}${remedy(status)}`;
  return new CommandFailed(sentence, { cause: error });
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
