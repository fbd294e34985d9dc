import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AbandonedSessions } from "./abandoned-sessions.ts";
import { InspectedHeap } from "./inspected-heap.ts";
import { freePort, ServerProcess } from "./server-process.ts";
import { OURS, ourCommand } from "./targets.ts";

const HELP = `Usage: node bench/sessions.ts [--sessions 20000] [--most 1000] [--bound 4]

Opens sessions of the initialize era on a server of its own and abandons them: with streams that break, requests in
flight, bodies cut in the middle, and ten publishes a second on a channel that most of them subscribe to. Tells the
memory of the server, its heap collected before each look, and exits with 1 where the heap ended more than \`bound\` MiB
above what it began with, or anything is still counted as open.
`;
const PARTS = 10;
const MIB = 2 ** 20;
const END_WAIT = 30_000;

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "20000" },
    most: { type: "string", default: "1000" },
    bound: { type: "string", default: "4" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await abandon(Number(values.sessions), Number(values.most), Number(values.bound));

async function abandon(count: number, most: number, bound: number): Promise<number> {
  if (!(count >= PARTS && count <= 1e6 && most > 0 && bound > 0)) {
    process.stderr.write(`Allowed are ${PARTS} to 1,000,000 sessions, and numbers above 0\n`);
    return 2;
  }
  const inspector = await freePort();
  await using server = await ServerProcess.start({ ...OURS, command: (...at) => forgetful(inspector, most, ...at) });
  using heap = await InspectedHeap.open(inspector);
  using sessions = new AbandonedSessions(server.port);
  const url = `http://127.0.0.1:${server.port}`;
  const look = async (title: string): Promise<number> => {
    const used = (await heap.usedBytes()) / MIB;
    const resident = server.residentBytes() / MIB;
    process.stdout.write(`${title.padEnd(28)} ${resident.toFixed(1).padStart(9)} ${used.toFixed(2).padStart(9)}\n`);
    return used;
  };
  const publishing = setInterval(() => void publish(url).catch(() => {}), 100);
  try {
    process.stdout.write(`${"".padEnd(28)}   RSS MiB  heap MiB\n`);
    // What is compiled and cached at first is not what is looked for.
    await sessions.open(Math.ceil(count / PARTS));
    await allOver(url);
    const before = await look("warm, all sessions over");
    for (let part = 0; part < PARTS; part++) {
      await sessions.open(Math.ceil(count / PARTS));
      await look(`${sessions.opened} opened`);
    }
    await allOver(url);
    const after = await look("all sessions over");
    const growth = after - before;
    const words = growth <= bound ? "within" : "more than";
    process.stdout.write(
      `The heap ended ${growth.toFixed(2)} MiB above its beginning, ${words} ${bound} MiB; ${sessions.refused} sessions were refused.\n`,
    );
    return growth <= bound ? 0 : 1;
  } finally {
    clearInterval(publishing);
  }
}

function forgetful(inspector: number, most: number, directory: string, port: number): readonly string[] {
  const [env = "env", ...words] = ourCommand(directory, port, [`--inspect=127.0.0.1:${inspector}`]);
  return [env, "SESSION_TIMEOUT=1", `MAX_SESSIONS=${most}`, "LEGACY_SSE=true", "LOG_LEVEL=error", ...words];
}

/** Resolves when every session has ended and nothing is counted as open. */
async function allOver(url: string): Promise<void> {
  const deadline = performance.now() + END_WAIT;
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const open = [...text.matchAll(/^sse_mcp_(?:subscriptions|connections\{door="(?:mcp|waiting)"\}) (\d+)/gm)];
    if (open.length === 3 && open.every(([, number]) => number === "0")) return;
    if (performance.now() > deadline) throw new Error(`still open: ${open.map(([line]) => line).join(", ")}`);
    await pause(100);
  }
}

async function publish(url: string): Promise<void> {
  const response = await fetch(`${url}/channels/churn/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify("x".repeat(200)),
  });
  await response.arrayBuffer();
}
