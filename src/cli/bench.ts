import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { oneLine } from "../protocol/text.ts";
import { Load } from "./bench/load.ts";
import { help, parseOptions, type Options } from "./bench/options.ts";
import { complaints, resultJson, resultText } from "./bench/report.ts";
import { askServerInfo, findServer } from "./bench/server-info.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage.ts";

const SETTLE = 300;
const SECOND = 1000;

/** Loads a running server and checks every delivery. */
export const bench: Command = {
  name: "bench",
  summary: "load a server with readers and publishers, and check every delivery",
  help,
  async run(words) {
    try {
      const options = parseOptions(words);
      if (!options.help) return await loadServer(options);
      process.stdout.write(help);
      return 0;
    } catch (error) {
      process.stderr.write(`${oneLine(error instanceof Error ? error.message : String(error))}\n`);
      return error instanceof UsageError ? 2 : 1;
    }
  },
};

async function loadServer(options: Options): Promise<number> {
  const { url, json } = options;
  await findServer(url);
  const run = Array.from({ length: 6 }, () => randomInt(36).toString(36)).join("");
  const channel = options.channel ?? `bench-${run}`;
  const idle = await askServerInfo(url);
  using load = new Load(options, channel, run);
  await load.connect();
  await pause(SETTLE);
  const start = await askServerInfo(url);
  const began = performance.now();
  const timer = setInterval(() => {
    const { published, delivered } = load.progress;
    const elapsed = Math.round((performance.now() - began) / SECOND);
    if (!json) process.stderr.write(`${elapsed} s: ${published} published, ${delivered} delivered\n`);
  }, SECOND);
  try {
    const result = await load.run();
    const info = { idle, start, end: await askServerInfo(url) };
    process.stdout.write(`${(json ? resultJson : resultText)(options, channel, result, info)}\n`);
    return complaints(result).length === 0 ? 0 : 1;
  } finally {
    clearInterval(timer);
  }
}
