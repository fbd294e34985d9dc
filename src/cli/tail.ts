import { once } from "node:events";
import { connect, HubClientError, type HubState } from "../client/index.ts";
import { oneLine } from "../protocol/text.ts";
import { keptJson } from "../protocol/json.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf } from "./credentials.ts";
import { beginning } from "./since.ts";
import { codexUrl, startTurn } from "./tail/codex.ts";
import { runCommand, untilDone } from "./tail/command.ts";
import { jsonLine, textLine } from "./tail/line.ts";
import { maxLine, mostTries, WAKE_HELP, WAKE_OPTIONS, wakeOptions } from "./tail/options.ts";
import { PlaceFile } from "./tail/place.ts";
import { giveWakes, type Wake } from "./tail/wakes.ts";
import { DEFAULT_URL, failed, CommandFailed, hubUrl, parsed, remedy, UsageError, type Command } from "./usage.ts";

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
                10m, 1h30m or 2d; or with all that is kept: earliest. A --place that exists says it instead
${WAKE_HELP}`,
  run: (words) => follow(words).catch(failed),
};

async function follow(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    since: text,
    ...WAKE_OPTIONS,
  });
  const begin = beginning(values.since);
  using place = values.place === undefined ? undefined : new PlaceFile(values.place);
  const options = wakeOptions(values, place?.cursor === undefined ? begin.time : undefined);
  const { headers, isRenewable } = credentialsOf(values);
  const stop = new AbortController();
  const { signal } = stop;
  const end = (): void => stop.abort();
  const give = giver(values, signal);
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
    const after = place?.cursor ?? begin.after;
    const messages = hub.subscribe(positionals.length === 0 ? "default" : positionals, {
      ...(after !== undefined && { after }),
      onGap: ({ reason, after: from, resumed }) =>
        note(`messages are missing (${reason}) between ${from} and ${resumed}`),
    });
    if (after === undefined && place !== undefined) {
      // Whoever starts it again misses nothing from now on, even if nothing comes before.
      await messages.ready;
      place.pass(messages.cursor);
      place.save();
    }
    // Reads no faster than what it does with it; the rest waits in the log.
    await giveWakes(messages, place, options, give, signal);
  } catch (error) {
    if (!signal.aborted) throw refused(error);
  }
  place?.save();
  if (signal.reason instanceof HubClientError) throw refused(signal.reason);
  return 0;
}

/** What is done with each message, or with several as one: a line or a command. */
function giver(values: GiverValues, signal: AbortSignal): (wake: Wake) => Promise<boolean> {
  const { exec, json = false, "max-line": length, coalesce = false, place, codex, thread, tries } = values;
  const most = mostTries(tries);
  const again = (wake: Wake, attempt: () => Promise<string | undefined>): Promise<boolean> =>
    untilDone(attempt, most, signal, (sentence) => note(`message ${wake.newest.id}: ${sentence}`));
  if (tries !== undefined && exec === undefined && codex === undefined)
    throw new UsageError("--tries is for what can fail; give --exec or --codex, too");
  if (exec !== undefined) {
    if (json || codex !== undefined || length !== undefined)
      throw new UsageError("--exec gives its command whole messages as JSON; leave out --json, --max-line and --codex");
    return (wake) => again(wake, () => runCommand(exec, `${jsonLine(wake)}\n`));
  }
  if (codex !== undefined || thread !== undefined) {
    if (codex === undefined || thread === undefined || json || length !== undefined)
      throw new UsageError("--codex and --thread belong together, and give no lines; leave out --json and --max-line");
    const url = codexUrl(codex);
    return (wake) => again(wake, () => startTurn(url, thread, wake));
  }
  if (coalesce && !json) throw new UsageError("--coalesce gives JSON; give --json, --exec or --codex, too");
  const longest = maxLine(length);
  return async (wake) => {
    const line = `${json ? jsonLine(wake, longest) : textLine(wake.newest, longest)}\n`;
    // What the reader of the output has not been given is not passed.
    if (place !== undefined) return written(line);
    if (!process.stdout.write(line)) await once(process.stdout, "drain", { signal });
    return true;
  };
}

interface GiverValues {
  readonly exec?: string;
  readonly json?: boolean;
  readonly "max-line"?: string;
  readonly coalesce?: boolean;
  readonly place?: string;
  readonly codex?: string;
  readonly thread?: string;
  readonly tries?: string;
}

function written(line: string): Promise<boolean> {
  return new Promise((resolve) => {
    process.stdout.write(line, (error) => resolve(error == null));
  });
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

function note(sentence: string): void {
  process.stderr.write(`${oneLine(`sse-mcp-server tail: ${sentence}`)}\n`);
}
