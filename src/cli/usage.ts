import { STATUS_CODES } from "node:http";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { isObject } from "../protocol/json.ts";
import { oneLine } from "../protocol/text.ts";

/** One word of the command line: `sse-mcp-server NAME …`. */
export interface Command {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** The whole text of `sse-mcp-server NAME --help`. */
  readonly help: string;
  /** Runs with the words after the name; resolves with the exit code. */
  run(words: readonly string[]): Promise<number>;
}

/** Words of the command line that are wrong; the sentence says how. */
export class UsageError extends Error {}

/** Ends a command with code 1; the sentence says why. */
export class CommandFailed extends Error {}

/** The hub does not answer, or not now: the same may work later. */
export class HubAway extends CommandFailed {}

/** Where a hub is unless `--url` says otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:8000";

/** Characters of an answer that are read. */
const MAX_ANSWER = 65_536;
/** Characters of the sentence in a refusal. */
const MAX_SENTENCE = 1000;

/** Options and words of a command. Throws `UsageError`. */
export function parsed<Options extends NonNullable<ParseArgsConfig["options"]>>(
  words: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message.split(/\.\s/)[0]}; see --help`, { cause });
  }
}

/** Says what went wrong on standard error; returns the exit code: 2 for wrong arguments, 1 for all else. */
export function failed(error: unknown): number {
  if (!(error instanceof UsageError) && !(error instanceof CommandFailed)) throw error;
  process.stderr.write(`${oneLine(`sse-mcp-server: ${error.message}`)}\n`);
  return error instanceof UsageError ? 2 : 1;
}

/** The address of a hub. Throws `UsageError`. */
export function hubUrl(text: string = DEFAULT_URL): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url is ${JSON.stringify(text)}; use an address such as ${DEFAULT_URL}`);
  }
  return url;
}

/** The address of a route of a hub, which may live under a path of its own. */
export function routeUrl(hub: URL, path: string): URL {
  return new URL(path, `${hub.origin}${hub.pathname.replace(/\/*$/, "/")}`);
}

/** An address to listen on as one to connect to. */
export function reachable(url: string): string {
  return url.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//[::1]");
}

/** Posts to a hub; resolves with the JSON object of its answer. Throws `CommandFailed`, also if the hub refuses. */
export function post(url: URL, request: RequestInit): Promise<Readonly<Record<string, unknown>>> {
  return ask(url, { ...request, method: "POST" });
}

/** The same with GET. */
export function get(url: URL, request: RequestInit): Promise<Readonly<Record<string, unknown>>> {
  return ask(url, request);
}

async function ask(url: URL, request: RequestInit): Promise<Readonly<Record<string, unknown>>> {
  try {
    // A POST that follows a redirect may become a GET, and publish nothing.
    const response = await fetch(url, { ...request, redirect: "manual" });
    const text = await textOf(response.body);
    if (response.ok) return jsonObject(text);
    throw refusal(response.status, text);
  } catch (error) {
    throw error instanceof CommandFailed ? error : unreachable(url, error);
  }
}

/** What a failed connection means. */
function unreachable(url: URL, cause: unknown): HubAway {
  // What fetch throws says only that it failed.
  const { code, message } =
    (cause as Error & { cause?: NodeJS.ErrnoException }).cause ?? (cause as NodeJS.ErrnoException);
  const why = typeof code === "string" ? code : message;
  return new HubAway(`No hub answers at ${url.origin} (${why}); start one with sse-mcp-server, or give --url`);
}

/** What an answer that refuses means. */
export function refusal(status: number, text: string): CommandFailed {
  const { code, detail } = jsonObject(text);
  const said =
    typeof detail === "string"
      ? `${typeof code === "string" ? code : status}: ${detail}`.slice(0, MAX_SENTENCE)
      : `The server answered ${status} ${STATUS_CODES[status] ?? ""}`.trimEnd();
  const Failure = status >= 500 ? HubAway : CommandFailed;
  return new Failure(`${said}${remedy(status)}`);
}

/** What to do about an answer with this status, as the end of a sentence. */
export function remedy(status: number | undefined): string {
  return status === 401 ? "; give a valid one with HUB_TOKEN or --token" : "";
}

/** The text of an answer, or the beginning of it. */
export async function textOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_ANSWER) break;
  }
  return text;
}

/** The JSON object that a text is; empty if it is none. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
