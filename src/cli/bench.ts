import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { oneLine } from "../wire/one-line.ts";
import { findAddress } from "./bench/address.ts";
import { Load } from "./bench/load.ts";
import { help, parseOptions, UsageError } from "./bench/options.ts";
import type { Options } from "./bench/options.ts";
import type { Plan } from "./bench/plan.ts";
import { addUp, complaints } from "./bench/result.ts";
import type { Result } from "./bench/result.ts";
import { askServerInfo, NOTHING_TOLD } from "./bench/server-info.ts";
import { resultJson, resultText } from "./bench/text.ts";
import type { Command } from "./command.ts";

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
  const { readers, publishers, rate, seconds, size, url, json } = options;
  const run = Array.from({ length: 6 }, () => randomInt(36).toString(36)).join("");
  const channel = options.channel ?? `bench-${run}`;
  const path = url.pathname.replace(/\/$/, "");
  const plan: Plan = {
    target: {
      address: await findAddress(url),
      format: options.door,
      subscribe: `${path}/${options.door === "sse" ? "events" : "ws"}?channel=${channel}`,
      publish: {
        path: `${path}/channels/${channel}/messages`,
        headers: ["Content-Type: application/json"],
        before: '"',
        after: '"',
      },
    },
    run,
    readers,
    publishers,
    rate,
    seconds,
    size,
  };
  const info = { idle: await askServerInfo(url), start: NOTHING_TOLD, end: NOTHING_TOLD };
  const result = await measure(plan, json, {
    started: async () => void (info.start = await askServerInfo(url)),
    ended: async () => void (info.end = await askServerInfo(url)),
  });
  process.stdout.write(
    json ? `${resultJson(options, channel, result, info)}\n` : `${resultText(options, channel, result, info)}\n`,
  );
  return complaints(result).length === 0 ? 0 : 1;
}

interface Stages {
  /** All readers are connected, nothing is published yet. */
  started(): Promise<void>;
  /** The last delivery has arrived. */
  ended(): Promise<void>;
}

async function measure(plan: Plan, quiet: boolean, stages: Stages): Promise<Result> {
  using load = new Load(plan);
  const ready = await load.prepare();
  if (ready.connected < plan.publishers) throw new Error(`A publisher could not connect: ${ready.troubles.join("; ")}`);
  const connects = await load.connect();
  if (connects.connected === 0) throw new Error(`No reader could connect: ${connects.troubles.join("; ")}`);
  await pause(SETTLE);
  await stages.started();
  const began = performance.now();
  const timer = setInterval(() => {
    const { published, delivered } = load.progress;
    const elapsed = Math.round((performance.now() - began) / SECOND);
    if (!quiet) process.stderr.write(`${elapsed} s: ${published} published, ${delivered} delivered\n`);
  }, SECOND);
  try {
    const publishes = await load.publish();
    const drain = await load.drain(publishes);
    await stages.ended();
    return addUp({ plan, connects, publishes, drain });
  } finally {
    clearInterval(timer);
  }
}
