import { configuredCredential } from "../../auth/open.ts";
import { loadTools } from "../load-tools.ts";
import { configure, ConfigError, flag, settingNames, type Config } from "../../config.ts";
import { createServer, version, type Server } from "../../server.ts";
import { masked } from "../../protocol/address.ts";
import { startSentence } from "../serve.ts";
import { CommandFailed, parsed, reachable, UsageError } from "../usage.ts";

/** A hub that runs in this process. */
export interface EmbeddedHub extends AsyncDisposable {
  /** Where it speaks MCP. */
  readonly url: URL;
  /** Bytes of one request body. */
  readonly maxBody: number;
  /** What to say of it. */
  readonly greeting: string;
}

/** Starts a hub with the settings of `serve`; it logs to standard error. Throws `UsageError` or `CommandFailed`. */
export async function openEmbeddedHub(words: readonly string[]): Promise<EmbeddedHub> {
  const config = configured(words);
  const server = await started(config);
  return {
    url: new URL("/mcp", reachable(server.url)),
    maxBody: config.maxBodyBytes,
    greeting: greeting(server, config),
    // Nobody who stops this process wants to wait until its readers are ended one by one.
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function configured(words: readonly string[]): Config {
  const flags = [...settingNames.map((name) => flag(name).slice(2)), "config"];
  const { positionals } = parsed(words, Object.fromEntries(flags.map((name) => [name, { type: "string" }])));
  if (positionals.length > 0) throw new UsageError(`stdio takes options only, not ${JSON.stringify(positionals[0])}`);
  try {
    return configure(words, process.env).config;
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandFailed(error.message);
    throw error;
  }
}

async function started(config: Config): Promise<Server> {
  try {
    return await createServer({ ...config, tools: await loadTools(config.tools), logStream: process.stderr });
  } catch (error) {
    throw new CommandFailed(whyNot(error, config));
  }
}

function whyNot(error: unknown, config: Config): string {
  const { host, port, basePath } = config;
  const join = `--url ${reachable(`http://${host.includes(":") ? `[${host}]` : host}:${port}`)}${basePath}/mcp`;
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return `Something listens on port ${port} of ${host} already; if it is a hub, join it with ${join}, else give another --port`;
  }
  const sentence = startSentence(error, config);
  return sentence.startsWith("Another sse-mcp-server")
    ? `${sentence}, or join it with --url and its address, such as ${join.replace("--url ", "")}`
    : sentence;
}

function greeting({ url, found, loopback }: Server, config: Config): string {
  const { data, host } = config;
  const warning = `; warning: no authentication, whoever reaches ${host} can read and publish everything`;
  return `sse-mcp-server ${version} listens on ${url} (log ${masked(data)}, ${found.messages} messages); open it in a browser to join${loopback || configuredCredential(config) !== undefined ? "" : warning}`;
}
