import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { pinned } from "./cores.ts";
import { goalsText } from "./goals.ts";
import type { Measured } from "./goals.ts";
import { median } from "./median.ts";
import { table } from "./table.ts";
import { CONTENDERS } from "./targets.ts";

const FILE = new URL("../docs/benchmarks.md", import.meta.url);

/** All tables of a run, as they stand in the document. */
export function resultsText(measured: Measured, notes: readonly string[]): string {
  const { matrix, calls, mcp, seed, memory, trust } = measured;
  const parts = [
    `${machine()}${notes.map((note) => ` ${note}`).join("")}`,
    `### Goals\n\n${goalsText(measured)}`,
    ...(matrix === undefined ? [] : [`### Fan-out\n\n${matrix.text()}`]),
    ...(calls === undefined ? [] : [`### Tool calls\n\n${callsText(calls)}`]),
    ...(mcp === undefined ? [] : [`### MCP\n\n${mcpText(mcp)}`]),
    ...(trust === undefined ? [] : [`### Credentials and rate limits\n\n${trustText(trust)}`]),
    ...(seed === undefined ? [] : [`### 100 readers, 50 publishes per second\n\n${seedText(seed)}`]),
    ...(memory === undefined ? [] : [`### Memory per connection\n\n${memoryText(memory)}`]),
  ];
  return parts.join("\n\n");
}

/** Puts the tables between the document's markers of that name. */
export function writeDocument(name: "bench" | "cluster" | "gzip" | "bridges", text: string): void {
  const document = readFileSync(FILE, "utf8");
  const [first, last] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const begin = document.indexOf(first);
  const end = document.indexOf(last);
  if (begin < 0 || end < begin) throw new Error(`docs/benchmarks.md lacks the lines ${first} and ${last}`);
  writeFileSync(FILE, `${document.slice(0, begin + first.length)}\n\n${text}\n\n${document.slice(end)}`);
}

/** When and where the tables were made; `hasOwnCores`: whether server and load have cores of their own. */
export function machine(hasOwnCores: boolean = pinned): string {
  const [core] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const cores = hasOwnCores
    ? "the server on the first core, the load on the others"
    : "server and load on the same cores";
  const date = new Date().toISOString().slice(0, 10);
  return `Measured on ${date}: ${core?.model ?? "unknown CPU"}, ${cpus().length} cores, ${memory} GB, Linux ${release()}, Node ${process.version}; ${cores}.`;
}

function callsText({ bare, info, send }: NonNullable<Measured["calls"]>): string {
  const base = median(bare);
  const row = (name: string, rates: readonly number[]): readonly string[] => [
    name,
    count(median(rates)),
    (median(rates) / base).toFixed(2),
  ];
  return table(
    1,
    ["32 connections, each waiting for its answer", "calls/s", "× bare"],
    [row("bare node:http", bare), row("get_server_info", info), row("send_sse_message", send)],
  );
}

function trustText({ open, jwt, limited }: NonNullable<Measured["trust"]>): string {
  const base = median(open);
  const row = (name: string, rates: readonly number[]): readonly string[] => [
    name,
    count(median(rates)),
    (median(rates) / base).toFixed(2),
  ];
  return table(
    1,
    ["send_sse_message, 32 connections", "calls/s", "× open"],
    [row("open", open), row("a JWT with each call", jwt), row("rate limits on", limited)],
  );
}

function mcpText({ bare, info, send, sdk, listening }: NonNullable<Measured["mcp"]>): string {
  const base = median(bare);
  const row = (name: string, rates: readonly number[]): readonly string[] => [
    name,
    count(median(rates)),
    (median(rates) / base).toFixed(2),
  ];
  const calls = table(
    1,
    ["revision 2026-07-28, 32 connections", "calls/s", "× bare"],
    [
      row("bare node:http", bare),
      row("get_server_info", info),
      row("send_sse_message", send),
      row("official SDK, one tool", sdk),
    ],
  );
  const cost = (name: "notification" | "inSession" | "delivery"): string =>
    median(listening.map((one) => one[name])).toFixed(2);
  const told = table(
    1,
    ["1,000 connections on one channel", "CPU µs each"],
    [
      ["notifications/resources/updated", cost("notification")],
      ["the same on the stream of a session", cost("inSession")],
      ["the message over SSE", cost("delivery")],
    ],
  );
  return `${calls}\n\n${told}`;
}

function seedText(seed: NonNullable<Measured["seed"]>): string {
  const rows = [...seed].map(([name, cells]) => {
    const of = (figure: (cell: (typeof cells)[number]) => number): number => median(cells.map(figure));
    return [
      title(name),
      of(({ deliveries }) => deliveries.latency.p50).toFixed(2),
      of(({ deliveries }) => deliveries.latency.p99).toFixed(2),
      of(({ deliveries }) => deliveries.latency.max).toFixed(2),
      count(cells.reduce((sum, { deliveries }) => sum + deliveries.lost, 0)),
      `${(of(({ busy }) => busy) * 100).toFixed(1)} %`,
    ];
  });
  return table(1, ["server", "p50 ms", "p99 ms", "max ms", "lost", "server busy"], rows);
}

function memoryText(memory: NonNullable<Measured["memory"]>): string {
  const rows = [...memory].map(([name, { idle, loaded }]) => [
    title(name),
    (idle / 1000).toFixed(1),
    (loaded / 1000).toFixed(1),
  ]);
  return table(1, ["5,000 readers", "KB each, idle", "KB each, after load"], rows);
}

function title(name: string): string {
  return CONTENDERS.find((contender) => contender.name === name)?.title ?? name;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}
