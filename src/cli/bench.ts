import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { nameProblem } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import { CREDENTIAL_OPTIONS, credentialHelp, credentialsOf, type Credentials } from "./credentials.ts";
import { SMALLEST_PAYLOAD } from "./bench/delivery-check.ts";
import { Load, type Options } from "./bench/load.ts";
import { report } from "./bench/report.ts";
import { DEFAULT_URL, failed, hubUrl, parsed, post, routeUrl, UsageError, type Command } from "./usage.ts";

const SECOND = 1000;
/** Milliseconds from the last connection to the first message. */
const SETTLE = 300;
/** Milliseconds for the server to say what it uses. */
const REQUEST_TIMEOUT = 5000;

/** `sse-mcp-server bench`: loads a running hub and checks every delivery. */
export const bench: Command = {
  name: "bench",
  summary: "load a server with readers and publishers, and check every delivery",
  help: `Usage: sse-mcp-server bench [OPTIONS]

Loads a running hub with readers and publishers, all in one process, and checks that every reader got every message
once and in order.

Options:
  --url         where the hub is (${DEFAULT_URL})
${credentialHelp(16)}  --door        how readers connect: sse or ws (sse)
  --channel     the channel (a new one for each run: such as bench.3f9a1c)
  --readers     connections that read the channel (100)
  --publishers  connections that publish (1)
  --rate        publishes per second in total; 0: each publisher goes on when it is answered (0)
  --seconds     how long to publish (10)
  --size        bytes of a payload (100)
  --json        print the result as JSON, and no progress

Messages are kept like all others, since that is what is measured: the channel stays in the list until retention drops
them. A credential needs bench.* to publish and to read.

Exit code: 0 if all readers connected and stayed, all publishes were answered, and nothing was lost, duplicated, out of
order or damaged; 1 if not; 2 for a wrong option.
`,
  run: (words) => run(words).catch(failed),
};

async function run(words: readonly string[]): Promise<number> {
  const id = randomBytes(3).toString("hex");
  const { json, credentials, ...options } = benchOptions(words, `bench.${id}`);
  const headers = credentials.headers();
  const idle = await serverUsage(options.url, headers);
  using load = new Load(options, id, headers);
  await load.connect();
  await pause(SETTLE);
  const start = await serverUsage(options.url, headers);
  let elapsed = 0;
  const timer = setInterval(() => {
    const { publishLatency, deliveryLatency } = load;
    elapsed++;
    process.stderr.write(`${elapsed} s: ${publishLatency.count} published, ${deliveryLatency.count} delivered\n`);
  }, SECOND);
  if (json) clearInterval(timer);
  await load.run().finally(() => clearInterval(timer));
  const { asked, cpuSeconds, ...end } = await serverUsage(options.url, headers);
  const cpuPercent = ((cpuSeconds - start.cpuSeconds) / (asked - start.asked)) * 1e5;
  const server = { ...end, cpuPercent: Number.isNaN(cpuPercent) ? undefined : cpuPercent, rssBytesIdle: idle.rssBytes };
  const { passed, text, json: result } = report(load, server);
  process.stdout.write(`${json ? result : text}\n`);
  return passed ? 0 : 1;
}

/** Reads the words after `bench`. Throws `UsageError`. */
export function benchOptions(
  words: readonly string[],
  ownChannel: string,
): Options & { readonly json: boolean; readonly credentials: Credentials } {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    ...CREDENTIAL_OPTIONS,
    url: text,
    door: { ...text, default: "sse" },
    channel: { ...text, default: ownChannel },
    readers: { ...text, default: "100" },
    publishers: { ...text, default: "1" },
    rate: { ...text, default: "0" },
    seconds: { ...text, default: "10" },
    size: { ...text, default: "100" },
    json: { type: "boolean", default: false },
  });
  const { door, channel, json } = values;
  const whole = (name: "readers" | "publishers" | "rate" | "seconds" | "size", least: number, most: number): number => {
    const number = /^\d{1,9}$/.test(values[name]) ? Number(values[name]) : NaN;
    if (number >= least && number <= most) return number;
    throw new UsageError(`--${name} is ${JSON.stringify(values[name])}; use a whole number from ${least} to ${most}`);
  };
  if (positionals.length > 0) throw new UsageError(`bench takes options only, not ${JSON.stringify(positionals[0])}`);
  if (door !== "sse" && door !== "ws") throw new UsageError(`--door is ${JSON.stringify(door)}; use sse or ws`);
  const problem = nameProblem(channel);
  if (problem !== undefined) throw new UsageError(`--channel is ${JSON.stringify(channel)}; ${problem}`);
  return {
    url: routeUrl(hubUrl(values.url), ""),
    door,
    channel,
    readers: whole("readers", 1, 20_000),
    publishers: whole("publishers", 1, 1000),
    rate: whole("rate", 0, 100_000),
    seconds: whole("seconds", 1, 3600),
    size: whole("size", SMALLEST_PAYLOAD, 65_000),
    json,
    credentials: credentialsOf(values),
  };
}

/** What the tool `get_server_info` says; a server without it is loaded all the same. */
async function serverUsage(url: URL, headers: Readonly<Record<string, string>>) {
  const asked = performance.now();
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "get_server_info", arguments: {} } };
  const answer = await post(routeUrl(url, "mcp/tools/call"), {
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(call),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT),
  }).catch(() => ({}));
  const told = (...path: readonly string[]): number | undefined => {
    const at = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
    const found = ["result", "structuredContent", ...path].reduce<unknown>(at, answer);
    return typeof found === "number" ? found : undefined;
  };
  return {
    asked,
    cpuSeconds: (told("cpu", "userSeconds") ?? NaN) + (told("cpu", "systemSeconds") ?? NaN),
    rssBytes: told("memory", "rssBytes"),
    heapUsedBytes: told("memory", "heapUsedBytes"),
    eventLoopDelayP99Ms: told("eventLoop", "delayP99Ms"),
  };
}
