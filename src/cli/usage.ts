import { parseArgs, type ParseArgsConfig } from "node:util";
import { oneLine } from "../protocol/text.ts";

/** Words of the command line that are wrong; the sentence says how. */
export class UsageError extends Error {}

/** Where a hub is unless `--url` says otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:8000";

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

/** Says what went wrong on standard error; returns the exit code: 2 for wrong words, 1 for all else. */
export function failed(error: unknown): number {
  if (!(error instanceof UsageError) && !(error instanceof HubUnreachable)) throw error;
  process.stderr.write(`${oneLine(`sse-mcp-server: ${error.message}`)}\n`);
  return error instanceof UsageError ? 2 : 1;
}

/** A hub that does not answer, or refuses; the sentence says which. */
export class HubUnreachable extends Error {}

/** The sentence of an answer that refuses. */
export async function refusal(response: Response): Promise<HubUnreachable> {
  const text = await response.text();
  try {
    const { detail, code } = JSON.parse(text) as { detail?: string; code?: string };
    if (detail !== undefined) return new HubUnreachable(`${code ?? response.status}: ${detail}`);
  } catch {
    // Not one of ours; the status has to do.
  }
  return new HubUnreachable(`The server answered ${response.status} ${response.statusText}`);
}

/** What a failed connection means. */
export function unreachable(url: URL, cause: unknown): HubUnreachable {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const code = inner instanceof Error && "code" in inner ? String(inner.code) : String(cause);
  return new HubUnreachable(`No hub answers at ${url.origin} (${code}); start one with sse-mcp-server, or give --url`);
}
