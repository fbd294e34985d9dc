import { checkBridge } from "../bridges/check.ts";
import { configuredBridges } from "../bridges/config.ts";
import { ConfigError, configure } from "../config.ts";
import { oneLine } from "../protocol/text.ts";
import { CommandFailed, failed, UsageError, type Command } from "./usage.ts";

/** `sse-mcp-server bridges check`: whether bridges can connect, and what they would make of a message. */
export const bridges: Command = {
  name: "bridges",
  summary: "check the connections to other buses: bridges check",
  help: `Usage: sse-mcp-server bridges check [settings]

Connects each bridge that BRIDGES or BRIDGES_FILE has, and shows what it would make of one message of each rule.
Nothing is acknowledged, published or created. The settings are those of serve, such as
--bridges-file ./bridges.json. Exit code 1 if a bridge would not work.`,
  run,
};

async function run([word, ...words]: readonly string[]): Promise<number> {
  try {
    if (word !== "check") throw new UsageError("bridges takes the word check");
    const { config } = configure(words, process.env);
    const configured = await configuredBridges(config, process.env);
    if (configured.length === 0) throw new CommandFailed("No bridge is configured; give --bridges-file or BRIDGES");
    let code = 0;
    for (const bridge of configured) {
      const { name, isOk, lines } = await checkBridge(bridge, config.maxMessageBytes);
      for (const line of lines) process.stdout.write(`${name}: ${oneLine(line)}\n`);
      if (!isOk) code = 1;
    }
    return code;
  } catch (error) {
    return failed(error instanceof ConfigError ? new CommandFailed(error.message, { cause: error }) : error);
  }
}
