import type { Cell } from "./cell.ts";
import type { AnnouncingFigures } from "./announcing.ts";
import type { ClusterFigures, Row } from "./cluster.ts";
import type { LifeFigures } from "./cluster-life.ts";
import type { LossFigures } from "./failover-loss.ts";
import { cpuPerDelivery, deliveriesPerSecond } from "./matrix.ts";
import { median, medianRatio } from "./median.ts";
import { table } from "./table.ts";

const SHARE = 0.7;
const DISTURBED = 0.2;
const MEBIBYTE = 2 ** 20;
/** Rows whose load has a rate of its own: the rates that they reach say nothing. */
const AT_A_RATE = /\/s /;

/** Everything that `--cluster` measures. */
export interface AllFigures extends ClusterFigures {
  readonly life: LifeFigures;
  readonly losses: readonly LossFigures[];
  readonly announcing: AnnouncingFigures;
}

/** The tables of `--cluster`, as they stand in the document. */
export function clusterText(figures: AllFigures): string {
  return [
    `### Goals\n\n${goals(figures)}`,
    `### One node on Redis beside the log in a file\n\n${beside(figures)}`,
    `### Three nodes on one Redis\n\n${three(figures)}`,
    `### More nodes\n\n${growth(figures.growth)}`,
    `### Announcing to more nodes\n\n${announcingText(figures.announcing)}`,
    `### What safety costs\n\n${durability(figures.durability)}`,
    `### What the death of a primary loses\n\n${lossText(figures.losses)}`,
    `### Nodes that start and die\n\n${lifeText(figures.life)}`,
  ].join("\n\n");
}

/** How much others took from the nodes and the load, in a sentence; empty if it was little. */
export function disturbance({ beside: pairs, three: loads, growth: rows, durability: kinds }: ClusterFigures): string {
  const cells = [
    ...pairs.flatMap(({ file, redis }) => [...file, ...redis]),
    ...[...loads.flatMap((load) => load.rows), ...rows, ...kinds].flatMap((one) => one.cells),
  ];
  const taken = median(cells.map(({ disturbed }) => disturbed));
  if (taken < DISTURBED) return "";
  return ` Other programs took ${taken.toFixed(1)} cores meanwhile: rates and latencies are not those of an idle machine; compare the CPU.`;
}

function goals({ beside: pairs, three: loads }: ClusterFigures): string {
  const rows: string[][] = [];
  const add = (what: string, wanted: string, got: number, isMet: boolean): void => {
    rows.push([what, wanted, Number.isNaN(got) ? "not measured" : got.toFixed(2), isMet ? "pass" : "miss"]);
  };
  const many = pairs.find(({ publishers }) => publishers === 16);
  const share = medianRatio((many?.redis ?? []).map(deliveriesPerSecond), (many?.file ?? []).map(deliveriesPerSecond));
  add("one node, 16 publishers: deliveries/s", `at least ${SHARE}× the log in a file`, share, share >= SHARE);
  const cost = medianRatio((many?.redis ?? []).map(cpuPerDelivery), (many?.file ?? []).map(cpuPerDelivery));
  add(
    "one node, 16 publishers: CPU per delivery, with Redis'",
    "at most 1.43× the log in a file",
    cost,
    cost <= 1 / SHARE,
  );
  for (const { title, rows: servers } of loads) {
    const [ours, peer] = servers;
    if (ours === undefined || peer === undefined) continue;
    const rates = medianRatio(ours.cells.map(acknowledged), peer.cells.map(acknowledged));
    const waits = medianRatio(ours.cells.map(p99), peer.cells.map(p99));
    if (!AT_A_RATE.test(title))
      add(`three nodes, ${title}: acknowledged/s`, `at least 1× ${peer.title}`, rates, rates >= 1);
    const cpu = medianRatio(ours.cells.map(cpuPerMessage), peer.cells.map(cpuPerMessage));
    add(`three nodes, ${title}: CPU per message of all`, `at most 1× ${peer.title}`, cpu, cpu <= 1);
    add(`three nodes, ${title}: p99`, `at most 1× ${peer.title}`, waits, waits <= 1);
  }
  return table(2, ["goal", "wanted", "measured", "result"], rows);
}

function beside({ beside: pairs }: ClusterFigures): string {
  const head = ["publishers", "log", "deliveries/s", "× file", "acknowledged/s", "p50 ms", "p99 ms", "lost", "doubled"];
  const rows = pairs.flatMap(({ publishers, file, redis }) =>
    [
      { title: "a file", cells: file },
      { title: "Redis", cells: redis },
    ].map(({ title, cells }) => [
      String(publishers),
      title,
      count(median(cells.map(deliveriesPerSecond))),
      medianRatio(cells.map(deliveriesPerSecond), file.map(deliveriesPerSecond)).toFixed(2),
      count(median(cells.map(acknowledged))),
      ...latencies(cells),
      ...faults(cells),
      median(cells.map(cpuPerDelivery)).toFixed(2),
      title === "Redis" ? perMessage(cells, 0) : "",
    ]),
  );
  return table(2, [...head, "CPU µs/delivery", "Redis µs/message"], rows);
}

function three({ three: loads }: ClusterFigures): string {
  const head = ["load", "server", "acknowledged/s", "× Centrifugo", "p50 ms", "p99 ms", "lost", "doubled"];
  const each = ["CPU µs/message", "of Redis", "of the first node", "of the second"];
  const rows = loads.flatMap(({ title, rows: servers }) =>
    servers.map((server) => {
      const { cells } = server;
      const peer = servers.find((one) => one.title === "Centrifugo")?.cells ?? [];
      const ratio = medianRatio(cells.map(acknowledged), peer.map(acknowledged));
      return [
        title,
        server.title,
        count(median(cells.map(acknowledged))),
        Number.isNaN(ratio) || AT_A_RATE.test(title) ? "" : ratio.toFixed(2),
        ...latencies(cells),
        ...faults(cells),
        median(cells.map(cpuPerMessage)).toFixed(0),
        perMessage(cells, 0),
        perMessage(cells, 1),
        perMessage(cells, 2),
      ];
    }),
  );
  return table(2, [...head, ...each], rows);
}

function growth(rows: readonly Row[]): string {
  const head = ["nodes", "readers", "acknowledged/s", "deliveries/s", "p50 ms", "p99 ms", "Redis µs/message"];
  const lines = rows.map(({ title, cells }) => [
    title,
    count(median(cells.map(({ connects }) => connects.connected))),
    count(median(cells.map(acknowledged))),
    count(median(cells.map(deliveriesPerSecond))),
    ...latencies(cells),
    ...[0, 1, 2, 3].map((index) => perMessage(cells, index)),
  ]);
  return table(1, [...head, "first node", "second node", "third node"], lines);
}

function durability(rows: readonly Row[]): string {
  const head = ["Redis", "acknowledged/s", "× everysec", "answer p50 ms", "answer p99 ms", "p99 ms", "refused"];
  const base = rows.find(({ title }) => title === "appendfsync everysec")?.cells ?? [];
  const lines = rows.map(({ title, cells }) => [
    title,
    count(median(cells.map(acknowledged))),
    medianRatio(cells.map(acknowledged), base.map(acknowledged)).toFixed(2),
    median(cells.map(({ publishes }) => publishes.latency.p50)).toFixed(1),
    median(cells.map(({ publishes }) => publishes.latency.p99)).toFixed(1),
    median(cells.map(p99)).toFixed(1),
    count(cells.reduce((sum, { publishes }) => sum + publishes.failed, 0)),
  ]);
  return table(1, head, lines);
}

function announcingText({ batches, rows }: AnnouncingFigures): string {
  const head = batches.map((size) => `Redis µs/batch of ${size}`);
  const lines = rows.map(({ nodes, micros, bytes }) => [
    String(nodes),
    ...micros.map((value) => value.toFixed(0)),
    ...bytes.slice(-1).map((value) => value.toFixed(0)),
  ]);
  return table(1, ["nodes", ...head, `bytes/message of ${batches.at(-1)}`], lines);
}

function lossText(losses: readonly LossFigures[]): string {
  const lines = losses.map(({ title, acknowledged: counts, lost }) => [
    title,
    count(median(counts)),
    count(median(lost)),
    count(Math.max(...lost)),
  ]);
  return table(1, ["Redis with", "acknowledged", "lost, median", "lost, most"], lines);
}

function lifeText(life: LifeFigures): string {
  const { messages, emptyStart, fullStart, emptyBytes, fullBytes, redisBytes } = life;
  const loadRate = messages / (fullStart - emptyStart);
  return table(
    1,
    ["what", "measured"],
    [
      ["a node with an empty log is ready after", `${emptyStart.toFixed(2)} s`],
      [`the same with ${count(messages)} messages of 100 bytes`, `${fullStart.toFixed(2)} s`],
      ["messages that it loads in a second", count(loadRate)],
      ["memory of its process, with an empty log", `${(emptyBytes / MEBIBYTE).toFixed(0)} MiB`],
      ["the same with these messages", `${(fullBytes / MEBIBYTE).toFixed(0)} MiB`],
      ["bytes of Redis for each of them", count(redisBytes / messages)],
      [
        `${count(life.readers)} readers of a node that was killed are connected to two others after`,
        seconds(life.connected),
      ],
      [`each of them has the ${life.missed} messages that it missed after`, seconds(life.caughtUp)],
      ["CPU that the two nodes used for that", seconds(life.cpuSeconds)],
      ["bytes that one of them got", count(life.received / life.readers)],
    ],
  );
}

function acknowledged({ publishes }: Cell): number {
  return publishes.perSecond;
}

function p99({ deliveries }: Cell): number {
  return deliveries.latency.p99;
}

function latencies(cells: readonly Cell[]): readonly string[] {
  return [median(cells.map(({ deliveries }) => deliveries.latency.p50)).toFixed(1), median(cells.map(p99)).toFixed(1)];
}

function faults(cells: readonly Cell[]): readonly string[] {
  const sum = (figure: (cell: Cell) => number): string => count(cells.reduce((total, cell) => total + figure(cell), 0));
  return [sum(({ deliveries }) => deliveries.lost), sum(({ deliveries }) => deliveries.duplicated)];
}

/** Microseconds of CPU of Redis and all nodes for each message. */
function cpuPerMessage({ cpuSeconds, publishes }: Cell): number {
  return (cpuSeconds.reduce((sum, value) => sum + value, 0) * 1e6) / publishes.answered;
}

/** CPU of one process for each message; of the Redis at 0. */
function perMessage(cells: readonly Cell[], process: number): string {
  const figures = cells.map(
    ({ cpuSeconds, publishes }) => ((cpuSeconds[process] ?? Number.NaN) * 1e6) / publishes.answered,
  );
  return Number.isNaN(median(figures)) ? "" : median(figures).toFixed(0);
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}
