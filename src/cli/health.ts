import { request as httpRequest, type IncomingMessage } from "node:http";
import { oneLine } from "../protocol/text.ts";
import {
  CommandFailed,
  failed,
  hubUrl,
  jsonObject,
  parsed,
  routeUrl,
  textOf,
  UsageError,
  type Command,
} from "./usage.ts";

/** Seconds for the whole answer: more than the hub takes to find out that it cannot deliver. */
const TIMEOUT = 5;
const MAX_TIMEOUT = 300;

/** `sse-mcp-server health`: whether a hub delivers, for the health checks of containers. */
export const health: Command = {
  name: "health",
  summary: "ask a hub whether it is healthy, for health checks",
  help: `Usage: sse-mcp-server health [OPTIONS]

Asks the hub on this machine for /health and prints a line. Where the hub listens is read from the same settings, as
HOST, PORT, TLS_CERT and BASE_PATH in the environment; a hub that was started with flags is found with the same flags. Its
certificate is not checked then, since it does not name the address that is used.

Options:
  --url        another hub, whose certificate is checked
  --timeout    seconds for the answer (${TIMEOUT})
  --host       where the hub listens (HOST)
  --port       its port (PORT)
  --tls-cert   the hub speaks TLS (TLS_CERT)
  --base-path  the path below which it is (BASE_PATH)
  --config     a JSON file of settings, in which these may be

Exit code: 0 if it is healthy, 1 if it is not, does not answer, or an option is wrong.
`,
  run: (words) =>
    check(words).catch((error: unknown) => {
      // Container engines reserve all other codes.
      return Math.min(failed(error), 1);
    }),
};

async function check(words: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parsed(words, {
    url: text,
    timeout: { ...text, default: String(TIMEOUT) },
    host: text,
    port: text,
    "tls-cert": text,
    "base-path": text,
    config: text,
  });
  if (positionals.length > 0) throw new UsageError(`health takes options only, not ${JSON.stringify(positionals[0])}`);
  const { url, timeout, ...settings } = values;
  const seconds = /^\d{1,3}$/.test(timeout) ? Number(timeout) : 0;
  if (seconds < 1 || seconds > MAX_TIMEOUT) {
    const sentence = `--timeout is ${JSON.stringify(timeout)}; use a whole number of seconds from 1 to ${MAX_TIMEOUT}`;
    throw new UsageError(sentence);
  }
  const given = Object.keys(settings)[0];
  if (url !== undefined && given !== undefined) throw new UsageError(`give either --url or --${given}`);
  const hub = url === undefined ? await ownUrl(settings) : hubUrl(url);
  const address = routeUrl(hub, "health");
  const { status, body } = await answerOf(address, seconds * 1000, url === undefined);
  const { status: state, version, uptimeSeconds, checks } = jsonObject(body);
  if (status === 200 && state === "healthy") {
    process.stdout.write(
      `${oneLine(`healthy: ${address.href}, version ${String(version)}, up ${String(uptimeSeconds)} s`)}\n`,
    );
    return 0;
  }
  if (state !== "unhealthy") throw new CommandFailed(`${address.href} answers ${status}, but not as a hub does`);
  const wrong = Object.entries(checks ?? {}).filter(([, found]) => found !== "ok");
  throw new CommandFailed(`unhealthy: ${wrong.map(([name, found]) => `${name}: ${String(found)}`).join("; ")}`);
}

/** Where the settings say that the hub on this machine listens, as an address to connect to. */
async function ownUrl(settings: Readonly<Record<string, string | undefined>>): Promise<URL> {
  const { ConfigError, configure } = await import("../config.ts");
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value ?? ""]);
  try {
    const { host, port, tlsCert, basePath } = configure(words, process.env).config;
    if (port === 0) throw new CommandFailed("PORT is 0, so the hub took a port that is not known here; give --url");
    const name = host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;
    const url = hubUrl(`${tlsCert === "" ? "http" : "https"}://${name}:${port}${basePath}`);
    // All addresses of this machine, in any spelling: one of them will do.
    if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
    if (url.hostname === "[::]") url.hostname = "[::1]";
    return url;
  } catch (error) {
    throw error instanceof ConfigError ? new CommandFailed(error.message, { cause: error }) : error;
  }
}

/** What is answered within so many milliseconds, in all. Throws `CommandFailed`. */
async function answerOf(url: URL, milliseconds: number, isOwn: boolean): Promise<{ status: number; body: string }> {
  const signal = AbortSignal.timeout(milliseconds);
  // Loaded only if it is needed: a check that starts fast can be made often.
  const send = url.protocol === "https:" ? (await import("node:https")).request : httpRequest;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  send(url, { agent: false, signal, ...(isOwn ? { rejectUnauthorized: false } : {}) })
    .once("response", resolve)
    .once("error", reject)
    .end();
  try {
    const answer = await promise;
    return { status: answer.statusCode ?? 0, body: await textOf(answer) };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = signal.aborted ? `not within ${milliseconds / 1000} s` : (code ?? message);
    throw new CommandFailed(`no answer from ${url.href} (${why})`, { cause });
  }
}
