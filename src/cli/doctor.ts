import { nameProblem } from "../protocol/channel.ts";
import { originAddress } from "../protocol/address.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf } from "./credentials.ts";
import { whyFailed, type Target } from "./doctor/exchange.ts";
import { checkCors, checkHost, checkHttp2, checkHub } from "./doctor/http-checks.ts";
import { checkModern, checkSessions, checkWaking } from "./doctor/mcp-checks.ts";
import { linesOf, Report } from "./doctor/report.ts";
import { checkCompression, checkQuiet, checkResume, checkStream, checkWebSocket } from "./doctor/stream-checks.ts";
import { DEFAULT_URL, failed, hubUrl, parsed, UsageError, type Command } from "./usage.ts";

/** Seconds: longer than the time between two heartbeats. */
const QUIET = 20;
const MAX_QUIET = 3600;
const CHANNEL = "doctor";

/** `sse-mcp-server doctor`: tests the way from here to a hub. */
export const doctor: Command = {
  name: "doctor",
  summary: "find what a proxy between here and a hub breaks, and what to change",
  help: `Usage: sse-mcp-server doctor --url URL [OPTIONS]

Sends a hub the requests that its clients send, and says what a proxy on the way breaks (streams that are held back, cut
or compressed, WebSockets, resuming, Host, pages of other origins, MCP) and which line of the proxy to change.
It publishes messages that are not kept, and changes nothing.

Options:
  --url        where clients find the hub (${DEFAULT_URL})
${credentialHelp(15)}  --origin     an origin whose pages are to call the hub, such as https://app.example
  --quiet      seconds that a stream without messages has to stay open; 0: do not wait (${QUIET})
  --channel    where messages are published (${CHANNEL})
  --json       print the result as JSON

Exit code: 0 if nothing failed, 1 if something did, 2 for a wrong option.
`,
  run: (words) => run(words).catch(failed),
};

/** What the checks depend on beside the hub. */
export interface DoctorOptions {
  readonly origin: string | undefined;
  readonly quiet: number;
  readonly channel: string;
}

async function run(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    origin: text,
    quiet: { ...text, default: String(QUIET) },
    channel: { ...text, default: CHANNEL },
    json: { type: "boolean", default: false },
  });
  const { origin, channel, json } = values;
  if (positionals.length > 0) throw new UsageError(`doctor takes options only, not ${JSON.stringify(positionals[0])}`);
  const quiet = /^\d{1,4}$/.test(values.quiet) ? Number(values.quiet) : NaN;
  if (!(quiet <= MAX_QUIET)) {
    const sentence = `--quiet is ${JSON.stringify(values.quiet)}; use a whole number of seconds from 0 to ${MAX_QUIET}`;
    throw new UsageError(sentence);
  }
  if (origin !== undefined && originAddress(origin) === undefined) {
    throw new UsageError(`--origin is ${JSON.stringify(origin)}; use one such as https://app.example`);
  }
  const problem = nameProblem(channel);
  if (problem !== undefined) throw new UsageError(`--channel is ${JSON.stringify(channel)}; ${problem}`);
  const target = { url: hubUrl(values.url), headers: credentialsOf(values).headers() };
  const print = json ? () => {} : (result: Parameters<typeof linesOf>[0]) => void process.stdout.write(linesOf(result));
  const report = new Report(target.url.href, print);
  await runChecks(target, { origin, quiet, channel }, report);
  process.stdout.write(json ? `${report.json}\n` : `\n${report.summary}`);
  return report.failures === 0 ? 0 : 1;
}

/** Runs every check; the one that waits runs beside the others. */
export async function runChecks(
  target: Target,
  { origin, quiet, channel }: DoctorOptions,
  report: Report,
): Promise<void> {
  const attempt = async <Result>(check: string, work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work();
    } catch (error) {
      report.bad(check, "fail", `It could not be tested: ${whyFailed(error)}`);
      return undefined;
    }
  };
  if ((await attempt("hub", () => checkHub(target, report))) !== true) return;
  const waiting = attempt("quiet", () => checkQuiet(target, channel, quiet, report));
  await attempt("host", () => checkHost(target, report));
  const id = await attempt("stream", () => checkStream(target, channel, report));
  await attempt("resume", () => checkResume(target, channel, id, report));
  if (id === undefined) report.skipped("compression", "No stream has begun that could be compressed");
  else await attempt("compression", () => checkCompression(target, channel, report));
  await attempt("websocket", () => checkWebSocket(target, report));
  await attempt("mcp", () => checkModern(target, report));
  await attempt("waking", () => checkWaking(target, report));
  await attempt("mcp sessions", () => checkSessions(target, report));
  await attempt("cors", () => checkCors(target, origin, report));
  await attempt("http2", () => checkHttp2(target, report));
  await waiting;
}
