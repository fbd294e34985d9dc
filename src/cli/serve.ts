import { setFlagsFromString } from "node:v8";
import { readKeyFile } from "../auth/key-file.ts";
import { configuredCredential } from "../auth/open.ts";
import {
  ConfigError,
  configure,
  describe,
  exportsTelemetry,
  flag,
  settingNames,
  shown,
  variable,
  type Config,
  type Configured,
} from "../config.ts";
import { HubError, ToolError } from "../index.ts";
import { createServer, version, type Server } from "../server.ts";
import { folderHint } from "./folder-hint.ts";
import { loadTools } from "./load-tools.ts";
import { masked } from "../protocol/address.ts";
import { oneLine, oneLineName } from "../protocol/text.ts";
import { reachable, type Command } from "./usage.ts";

/** Milliseconds for the last output to be read. */
const LAST_OUTPUT = 500;

const SETTINGS = settingNames
  .map((name) => {
    const { about, fallback } = describe(name);
    return `  ${flag(name).padEnd(30)} ${about}${fallback === "" ? "" : ` (${fallback})`}`;
  })
  .join("\n");

/** `sse-mcp-server serve`: runs the hub until it is told to stop. */
export const serve: Command = {
  name: "serve",
  summary: "run the hub (the default)",
  help: `Usage: sse-mcp-server [serve] [SETTINGS]

Settings, each with its default. --max-connections is MAX_CONNECTIONS in the environment and in the file.
${SETTINGS}

  --config                       a JSON file of settings, such as {"PORT": 8100}
  --print-config                 print every setting with its value and where it came from, and end

A flag overrides the environment, the environment overrides the file, and the file overrides the default.
`,
  run,
};

async function run(words: readonly string[]): Promise<number> {
  let configured: Configured;
  try {
    const settings = words.filter((word) => word !== "--print-config");
    configured = configure(settings, process.env);
  } catch (error) {
    if (error instanceof ConfigError) return fail(error.message);
    throw error;
  }
  if (words.includes("--print-config")) {
    process.stdout.write(table(configured));
    return 0;
  }
  // Otherwise a burst of readers grows the young generation by tens of megabytes, which V8 keeps for good.
  setFlagsFromString("--semi-space-growth-factor=1");
  let server: Server;
  try {
    const { config } = configured;
    const telemetry = exportsTelemetry(process.env);
    server = await createServer({
      ...config,
      telemetry,
      environment: process.env,
      tools: await loadTools(config.tools),
    });
  } catch (error) {
    return fail(startSentence(error, configured.config) + folderHint(configured.config));
  }
  const stopped = stopOnSignal(server, configured.config.drainWait);
  process.stdout.write(greeting(server, configured.config));
  const code = await stopped;
  // Output that is not read would keep the process alive; and output that cannot be written is not a failure to serve.
  setTimeout(() => process.exit(code), LAST_OUTPUT).unref();
  process.exitCode = code;
  return code;
}

/** Every setting, its value and its source; passwords in addresses are masked. */
function table({ config, sources }: Configured): string {
  const rows = settingNames.map((name) => {
    return `${variable(name).padEnd(28)} ${shown(name, config).padEnd(24)} ${sources[name]}`;
  });
  return `${rows.join("\n")}\n`;
}

function greeting({ url: listens, found, loopback }: Server, config: Config): string {
  const { data, durability, publicUrl, basePath, jwtIssuers } = config;
  const messages = found.messages === 1 ? "1 message" : `${found.messages} messages`;
  const channels = found.channels === 1 ? "1 channel" : `${found.channels} channels`;
  const url = (publicUrl === "" ? reachable(listens) : publicUrl) + basePath;
  const isOpen = configuredCredential(config) === undefined;
  const header = isOpen ? "" : ' -H "Authorization: Bearer $HUB_TOKEN"';
  // Clients of OAuth get their token by themselves.
  const claude = isOpen || jwtIssuers.length > 0 ? "" : ' --header "Authorization: Bearer $HUB_TOKEN"';
  const isPlain = config.tlsCert === "" && !config.publicUrl.startsWith("https:");
  const plain = isPlain
    ? `\nWarning: listening on ${config.host} without TLS: credentials cross the network in clear text, and browsers keep no session. Set TLS_CERT and TLS_KEY, or PUBLIC_URL if a proxy terminates TLS.\n`
    : "";
  const none = hasNoKeys(config)
    ? `\n${oneLineName(config.apiKeysFile)} has no keys yet, so no one can use this hub with a key. Create the first one where the server runs, in its container if it has one:\n  sse-mcp-server key create --name me --admin\n`
    : "";
  const open = loopback
    ? ""
    : !isOpen
      ? plain
      : `\nWarning: listening on ${config.host} without authentication: whoever reaches this port can read and publish everything.\n`;
  return `sse-mcp-server ${version} listens on ${listens}
log: ${oneLine(masked(data))} (${messages} in ${channels}, durability ${durability})
${open}${none}
Try:
  curl -N ${url}/events${header}
  curl ${url}/channels/default/messages${header} -d "Hello"
  claude mcp add --transport http hub ${url}/mcp${claude}

Open in a browser:
  ${url}/            lines to copy
  ${url}/chat        for people
  ${url}/dashboard   what the server does

Other MCP clients: docs/mcp.md

`;
}

/** Whether there is a file of keys without keys, as the image has one. */
function hasNoKeys({ apiKeysFile }: Config): boolean {
  try {
    return apiKeysFile !== "" && readKeyFile(apiKeysFile).keys.length === 0;
  } catch {
    // It was changed since; the server says so.
    return false;
  }
}

/**
 * Resolves with the exit code when a signal has stopped the server. Another signal ends the wait for balancers, if there
 * is one, and the next ends the process at once.
 */
function stopOnSignal(server: Server, wait: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const skip = new AbortController();
    let step: "serving" | "draining" | "ending" = "serving";
    const end = (why: string): Promise<void> => {
      step = "ending";
      const { size } = server.hub;
      const readers = size === 1 ? "1 reader" : `${size} readers`;
      process.stdout.write(`${why}: ending ${readers}, then stopping; again to stop at once\n`);
      return server.close();
    };
    const drain = async (signal: string): Promise<void> => {
      step = "draining";
      process.stdout.write(`${signal}: /health says 503, all else goes on for ${wait} s; again to end the wait\n`);
      await server.drain(skip.signal);
      await end(skip.signal.aborted ? String(skip.signal.reason) : `after ${wait} s`);
    };
    const stop = (signal: NodeJS.Signals): void => {
      if (step === "ending") process.exit(1);
      if (step === "draining") skip.abort(signal);
      else (wait > 0 ? drain(signal) : end(signal)).then(() => resolve(0), reject);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    // From a terminal it says that the terminal is gone; to a service, that files have changed, which it sees by itself.
    if (!process.stdout.isTTY) process.on("SIGHUP", () => {});
  });
}

/** What an error at the start means. */
export function startSentence(error: unknown, { host, port }: Config): string {
  if (error instanceof HubError || error instanceof ConfigError || error instanceof ToolError) return error.message;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is in use; give another with --port or PORT`;
    case "EACCES":
      return `Port ${port} may not be opened by this user; use one from 1024 up`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `HOST is ${JSON.stringify(host)}, which is not an address of this machine; use 127.0.0.1, or 0.0.0.0 for all`;
    default:
      throw error;
  }
}

function fail(sentence: string): number {
  process.stderr.write(`${oneLine(`sse-mcp-server: ${sentence}`)}\n`);
  return 1;
}
