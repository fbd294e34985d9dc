import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ChurningReaders } from "./churning-readers.ts";
import { drift } from "./drift.ts";
import type { Sample } from "./drift.ts";
import { InspectedHeap } from "./inspected-heap.ts";
import { freePort, ServerProcess } from "./server-process.ts";
import { OURS, ourCommand } from "./targets.ts";

const HELP = `Usage: node bench/churn.ts [--minutes 1] [--per-second 50] [--staying 200]

Lets readers come and go on a server of its own, with a heartbeat a second and ten publishes a second, and tells
whether its memory stays flat: the heap is collected before each look. Half of the readers use SSE, half WebSocket;
one in five is gone before its answer.
`;
const LIFE = 4000;
const TICK = 100;
const SAMPLES = 60;
const LEAST_INTERVAL = 1500;
const FLAT = 0.1;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    "per-second": { type: "string", default: "50" },
    staying: { type: "string", default: "200" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await churn(Number(values.minutes), Number(values["per-second"]), Number(values.staying));

async function churn(minutes: number, perSecond: number, staying: number): Promise<number> {
  if (!(minutes > 0 && minutes <= 600 && perSecond > 0 && perSecond <= 1000 && staying >= 0 && staying <= 5000)) {
    process.stderr.write("Allowed are up to 600 minutes, 1000 readers per second and 5000 staying\n");
    return 2;
  }
  const inspector = await freePort();
  await using server = await ServerProcess.start({ ...OURS, command: (...at) => beating(inspector, ...at) });
  using inspected = await InspectedHeap.open(inspector);
  using readers = new ChurningReaders(server.port);
  const url = new URL(`http://127.0.0.1:${server.port}`);
  const samples: Sample[] = [];
  const interval = Math.max(LEAST_INTERVAL, (minutes * 60_000) / SAMPLES);
  const start = performance.now();
  let sampled = start;
  readers.add(staying, Number.POSITIVE_INFINITY);
  process.stdout.write("minute   RSS MiB  heap MiB  connections made\n");
  while (performance.now() - start < minutes * 60_000) {
    readers.add(Math.round((perSecond * TICK) / 1000), LIFE);
    await publish(url);
    await pause(TICK);
    if (performance.now() - sampled < interval) continue;
    sampled = performance.now();
    const heap = (await inspected.usedBytes()) / 2 ** 20;
    const rss = server.residentBytes() / 2 ** 20;
    const minute = (sampled - start) / 60_000;
    samples.push({ minute, rss, heap });
    process.stdout.write(
      `${minute.toFixed(2).padStart(6)} ${rss.toFixed(1).padStart(9)} ${heap.toFixed(1).padStart(9)}`,
    );
    process.stdout.write(`${String(readers.made).padStart(18)}\n`);
  }
  return tell(samples);
}

function beating(inspector: number, directory: string, port: number): readonly string[] {
  const [env = "env", ...words] = ourCommand(directory, port, [`--inspect=127.0.0.1:${inspector}`]);
  return [env, "HEARTBEAT=1", ...words];
}

function tell(samples: readonly Sample[]): number {
  const rss = drift(samples, (sample) => sample.rss);
  const heap = drift(samples, (sample) => sample.heap);
  const flat = rss.growth <= FLAT && heap.growth <= FLAT;
  const words = [rss, heap].map(
    ({ growth, perHour }) => `${(growth * 100).toFixed(1)} % (${perHour.toFixed(1)} MiB an hour)`,
  );
  process.stdout.write(
    `Over the last two thirds of the run RSS grew by ${words[0]}, the heap by ${words[1]}: ${flat ? "flat" : "not flat"}.\n`,
  );
  return flat ? 0 : 1;
}

async function publish(url: URL): Promise<void> {
  const response = await fetch(new URL("/channels/churn/messages", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify("x".repeat(200)),
  });
  await response.arrayBuffer();
}
