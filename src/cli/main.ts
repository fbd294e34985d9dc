#!/usr/bin/env node
import type { Command } from "./usage.ts";

/** Each is loaded when it is asked for: a script that publishes does not wait for a server to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./serve.ts")).serve,
  health: async () => (await import("./health.ts")).health,
  publish: async () => (await import("./publish.ts")).publish,
  ask: async () => (await import("./ask.ts")).ask,
  tail: async () => (await import("./tail.ts")).tail,
  stdio: async () => (await import("./stdio.ts")).stdio,
  bench: async () => (await import("./bench.ts")).bench,
  doctor: async () => (await import("./doctor.ts")).doctor,
  hook: async () => (await import("./hook.ts")).hook,
  key: async () => (await import("./key.ts")).key,
  bridges: async () => (await import("./bridges.ts")).bridges,
  copy: async () => (await import("./copy.ts")).copy,
  export: async () => (await import("./export.ts")).exportLog,
  import: async () => (await import("./import.ts")).importLog,
};

const OLDEST_NODE = [24, 11];

// A reader that has seen enough, such as `head`, closes the pipe: the rest is dropped, and the command goes on.
let canPrint = true;
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code === "EPIPE" || !canPrint) return;
  canPrint = false;
  process.stderr.write(`sse-mcp-server: standard output cannot be written: ${message}\n`);
  process.exitCode = 1;
});
process.stderr.on("error", () => {});
const exitCode = isOldNode() ? 1 : await run(process.argv.slice(2));
if (exitCode !== 0 || process.exitCode === undefined) process.exitCode = exitCode;

/** Says so if this Node lacks what the commands need. */
function isOldNode(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = OLDEST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return false;
  process.stderr.write(
    `sse-mcp-server: this is Node ${process.versions.node}; use ${OLDEST_NODE.join(".")} or newer, or run: npx --package=node@${leastMajor} -- node ${JSON.stringify(process.argv[1])}\n`,
  );
  return true;
}

async function run(words: readonly string[]): Promise<number> {
  const [first = ""] = words;
  const load = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  const asksHelp = words.includes("--help") || words.includes("-h");
  if (load !== undefined) {
    const command = await load();
    if (!asksHelp) return command.run(words.slice(1));
    process.stdout.write(command.help);
    return 0;
  }
  if (first === "help" || asksHelp) {
    process.stdout.write(await help());
    return 0;
  }
  if (first === "--version" || first === "-v") {
    const { version } = await import("../server.ts");
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (first !== "" && !first.startsWith("-")) {
    const known = Object.keys(COMMANDS).join(", ");
    process.stderr.write(`sse-mcp-server: Unknown command ${JSON.stringify(first)}; use ${known}, or see --help\n`);
    return 2;
  }
  const { serve } = await import("./serve.ts");
  return serve.run(words);
}

async function help(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return `sse-mcp-server: the real-time hub for MCP. Services, AI agents and people on the same channels.

Usage: sse-mcp-server [COMMAND] [OPTIONS]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}

Options:
  -h, --help       this text, or that of a command
  -v, --version    the version
  --print-config   every setting with its value and where it came from

Without a command it serves; sse-mcp-server serve --help lists the settings.
`;
}
