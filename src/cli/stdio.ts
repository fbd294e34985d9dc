import { patternProblem } from "../protocol/channel.ts";
import { oneLine } from "../protocol/text.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf, type Credentials } from "./credentials.ts";
import { DEFAULT_URL, failed, hubUrl, parsed, UsageError, type Command } from "./usage.ts";

const PATH = "/mcp";
/** Bytes of one line: more than a hub accepts by default, so that the hub can answer with its own limit. */
const MAX_LINE = 8 * 1024 * 1024;
/** Milliseconds that a client has to take what was written last. */
const FLUSH_TIMEOUT = 500;

/** `sse-mcp-server stdio`: MCP on standard input and output, for clients that speak nothing else. */
export const stdio: Command = {
  name: "stdio",
  summary: "MCP on standard input and output: a bridge to a hub",
  help: `Usage: sse-mcp-server stdio --url URL [OPTIONS]
       sse-mcp-server stdio [SETTINGS]

Speaks MCP on standard input and output, for clients that start their servers themselves; all else goes to standard error.
With --url it is a bridge to a hub that runs. Without, it runs a hub of its own, which others can join at its port.
Sessions and subscriptions survive a restart of the hub. It ends when standard input does.

Options:
  --url         where the hub speaks MCP, such as ${DEFAULT_URL}${PATH}
${credentialHelp(16)}  --channel     a channel or pattern whose messages wake Claude Code; may be repeated. It has to load the server as a channel

The settings of a hub of its own are those of sse-mcp-server serve; see sse-mcp-server serve --help.
`,
  run: (words) => run(words).catch(failed),
};

async function run(words: readonly string[]): Promise<number> {
  const stopped = new AbortController();
  process.once("SIGTERM", () => stopped.abort());
  process.once("SIGINT", () => stopped.abort());
  // Who reads what is written may be gone.
  process.stdout.on("error", () => stopped.abort());
  // A closed stderr only loses log lines.
  process.stderr.on("error", () => {});
  // What the client does not take would keep the process from ending.
  if (!(await carry(words, stopped.signal))) process.exit(0);
  return 0;
}

/** Carries messages until there are no more, or it is stopped. */
async function carry(all: readonly string[], stopped: AbortSignal): Promise<boolean> {
  const { channels, words } = channelsIn(all);
  const isEmbedded = !words.some((word) => /^--(?:url|header|token|token-file)(?:=|$)/.test(word));
  // Loaded now: the text of --help does not wait for it, and a bridge to another hub needs no hub here.
  await using embedded = isEmbedded
    ? await (await import("./stdio/embedded-hub.ts")).openEmbeddedHub(words)
    : undefined;
  const { url, credentials } =
    embedded === undefined ? targetOf(words) : { url: embedded.url, credentials: credentialsOf({}) };
  const [{ Bridge }, { HubEndpoint }, { Output }] = await Promise.all([
    import("./stdio/bridge.ts"),
    import("./stdio/hub-endpoint.ts"),
    import("./stdio/output.ts"),
  ]);
  const output = new Output(process.stdout);
  const hub = new HubEndpoint(url, credentials, output);
  note(embedded?.greeting ?? `bridges to ${hub.address}`);
  const bridge = new Bridge({ hub, output, longest: Math.max(MAX_LINE, embedded?.maxBody ?? 0), channels, note });
  const ended = new Promise<void>((resolve) => stopped.addEventListener("abort", () => resolve()));
  if (!stopped.aborted) await Promise.race([bridge.run(input(stopped)), ended]);
  await bridge.close();
  process.stdin.destroy();
  return output.flushed(FLUSH_TIMEOUT);
}

/** The channels that words name, and the other words. Throws `UsageError`. */
function channelsIn(all: readonly string[]): {
  readonly channels: readonly string[];
  readonly words: readonly string[];
} {
  const channels: string[] = [];
  const words: string[] = [];
  for (let at = 0; at < all.length; at++) {
    const word = all[at] ?? "";
    const channel = word === "--channel" ? all[++at] : /^--channel=(.*)$/s.exec(word)?.[1];
    if (channel === undefined && word !== "--channel") words.push(word);
    else if (channel === undefined || patternProblem(channel) !== undefined)
      throw new UsageError(
        `--channel is ${JSON.stringify(channel ?? "")}; use a channel or a pattern such as orders.*`,
      );
    else channels.push(channel);
  }
  return { channels, words };
}

/** What the client says; a pipe that breaks is the end of it. */
async function* input(stopped: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of process.stdin) yield chunk as Uint8Array;
  } catch (error) {
    if (!stopped.aborted) note(`standard input broke: ${String(error)}`);
  }
}

function targetOf(words: readonly string[]): { url: URL; credentials: Credentials } {
  const { values, positionals } = parsed(words, { ...CREDENTIAL_OPTIONS, url: { type: "string" } });
  const { url, ...given } = values;
  // Not repeated here: it may be the rest of a secret.
  if (positionals.length > 0) throw new UsageError("stdio takes options only; put a --header in quotes");
  if (url === undefined) throw new UsageError(`--${Object.keys(given)[0]} is for the hub at --url; give that, too`);
  return { url: mcpUrl(url), credentials: credentialsOf(given) };
}

function mcpUrl(text: string): URL {
  const url = hubUrl(text);
  // Any other address is that of a hub, which may be below a path of its own.
  url.pathname = `${url.pathname.replace(/(?:\/mcp)?\/*$/, "")}${PATH}`;
  return url;
}

function note(sentence: string): void {
  process.stderr.write(`${oneLine(`sse-mcp-server stdio: ${sentence}`)}\n`);
}
