import type { RecordableHistogram } from "node:perf_hooks";
import { oneLine } from "../../protocol/text.ts";
import type { Faults } from "./delivery-check.ts";
import type { Load, Options } from "./load.ts";

/** The part of its time above which the load itself held a run back, 0 to 1. */
const BUSY = 0.95;
/** Readers with faults, and reasons, that are reported. */
const MAX_REPORTED = 5;

/** What a server used in the course of a run; undefined is what it did not tell. */
export interface ServerUsage {
  readonly cpuPercent: number | undefined;
  readonly rssBytes: number | undefined;
  /** Before the first connection. */
  readonly rssBytesIdle: number | undefined;
  readonly heapUsedBytes: number | undefined;
  readonly eventLoopDelayP99Ms: number | undefined;
}

/** What a server is judged by. `perSecond` is of deliveries; `busy` the part of its time for which the load worked, 0 to 1. */
export type Outcome = Omit<Faults, "gaps"> &
  Readonly<Record<"wanted" | "connected" | "answered" | "failed" | "faultyReaders" | "perSecond" | "busy", number>>;

/** Whether a server did all it should, and a sentence that says so. */
export function judge(outcome: Outcome): { readonly passed: boolean; readonly verdict: string } {
  const { wanted, connected, answered, failed, lost, duplicated, disordered, damaged, busy } = outcome;
  const faults: readonly (readonly [number, string, string])[] = [
    [wanted - connected, "reader", "not connected"],
    [failed, "publish", "failed"],
    [lost, "delivery", "lost"],
    [duplicated, "delivery", "duplicated"],
    [disordered, "delivery", "out of order"],
    [damaged, "delivery", "damaged"],
    [faultsIn(outcome) === 0 ? outcome.faultyReaders : 0, "reader", "cut off"],
  ];
  const found = faults.flatMap(([number, noun, what]) => (number > 0 ? [`${count(number, noun)} ${what}`] : []));
  if (answered === 0) found.unshift("nothing was published");
  const wrong = found.join(", ");
  if (wrong === "") {
    const verdict = `Passed: ${count(connected, "reader")} got all of ${count(answered, "message")}, each once and in order.`;
    return { passed: true, verdict };
  }
  // A reader that is cut, or a message that is late, because this process did not read says nothing about the server.
  const isOnlyLate = wanted === connected && failed + duplicated + disordered + damaged === 0;
  if (busy < BUSY || !isOnlyLate) return { passed: false, verdict: `Failed: ${wrong}.` };
  const verdict =
    `Not judged: the load was busy for ${percent(busy)} of the time and checked ` +
    `${count(outcome.perSecond)} deliveries a second, the most it can here (${wrong}). ` +
    "Use fewer readers, a lower --rate, or another machine.";
  return { passed: false, verdict };
}

/** The report of a run that has ended, for people and as JSON. */
export function report(load: Load, server: ServerUsage): { passed: boolean; text: string; json: string } {
  const result = resultOf(load);
  const { options, busy } = load;
  // Last the deliveries: each part has a rate of its own.
  const { passed, verdict } = judge({ ...result.connects, ...result.publishes, ...result.deliveries, busy });
  return {
    passed,
    text: `${text(options, result, server)}\n\n${verdict}`,
    json: JSON.stringify({ verdict, options, channel: options.channel, ...result, server }),
  };
}

type Result = ReturnType<typeof resultOf>;

function resultOf({ options, readers, sent, failure, publishLatency, deliveryLatency, seconds, busy }: Load) {
  const connected = readers.filter(({ isConnected }) => isConnected).length;
  const troubles = readers.flatMap(({ isConnected, trouble }) => (isConnected ? [] : (trouble ?? [])));
  const faulty = readers.flatMap(({ isConnected, trouble, check }, reader) => {
    const faults = check.faults(sent);
    const isFaulty = isConnected && (trouble !== undefined || faultsIn(faults) > 0);
    return isFaulty ? [{ reader, trouble, ...faults }] : [];
  });
  const answered = publishLatency.count;
  const lost = sum(faulty.map((reader) => reader.lost));
  const delivered = answered * connected - lost;
  return {
    connects: {
      wanted: readers.length,
      connected,
      seconds: seconds.connecting,
      perSecond: connected / seconds.connecting,
      troubles: [...new Set(troubles)].slice(0, MAX_REPORTED),
    },
    publishes: {
      answered,
      failed: sum(sent.map(({ failed }) => failed.size)),
      trouble: failure,
      // What the rate asked for and was never sent.
      behind: Math.max(0, options.rate * options.seconds - sum(sent.map((publisher) => publisher.count))),
      perSecond: answered / seconds.publishing,
      latency: percentiles(publishLatency),
    },
    deliveries: {
      expected: answered * connected,
      delivered,
      lost,
      duplicated: sum(faulty.map(({ duplicated }) => duplicated)),
      disordered: sum(faulty.map(({ disordered }) => disordered)),
      damaged: sum(faulty.map(({ damaged }) => damaged)),
      perSecond: delivered === 0 ? 0 : delivered / seconds.delivering,
      latency: percentiles(deliveryLatency),
      faultyReaders: faulty.length,
      readers: faulty.slice(0, MAX_REPORTED),
    },
    load: { busy },
  };
}

function text(options: Options, { connects, publishes, deliveries, load }: Result, server: ServerUsage): string {
  const { url, channel, door, rate, seconds, size } = options;
  const pace = rate > 0 ? `${rate} publishes/s` : "closed loop";
  const busy = load.busy < BUSY ? "" : "; the latencies are its own, so use fewer readers or a lower --rate";
  const rows: readonly (readonly [label: string, text: string] | false)[] = [
    ["server", `${url.href}, channel ${channel}, door ${door}`],
    [
      "load",
      `${count(options.readers, "reader")}, ${count(options.publishers, "publisher")}, ${pace}, ${seconds} s, payloads of ${size} bytes`,
    ],
    ["", ""],
    [
      "connected",
      `${count(connects.connected)} of ${count(connects.wanted, "reader")} in ${connects.seconds.toFixed(2)} s, ${count(connects.perSecond)}/s`,
    ],
    ...connects.troubles.map((trouble) => ["", `not connected: ${trouble}`] as const),
    ["published", `${count(publishes.answered, "message")}, ${count(publishes.perSecond)}/s`],
    publishes.failed > 0 && ["", `${count(publishes.failed)} failed: ${publishes.trouble}`],
    publishes.behind > 0 && [
      "",
      `${count(publishes.behind)} more were due and not sent: publishers waited for answers`,
    ],
    [
      "delivered",
      `${count(deliveries.delivered)} of ${count(deliveries.expected)} expected, ${count(deliveries.perSecond)}/s; ${faultText(deliveries)}`,
    ],
    ...deliveries.readers.map((reader) => ["", readerText(reader)] as const),
    deliveries.faultyReaders > MAX_REPORTED && [
      "",
      `and ${count(deliveries.faultyReaders - MAX_REPORTED, "reader")} more`,
    ],
    ["", ""],
    ["ms", latencyRow((name) => name)],
    ["publish", latencyRow((name) => publishes.latency[name].toFixed(2))],
    ["delivery", latencyRow((name) => deliveries.latency[name].toFixed(2))],
    ["", ""],
    ["server CPU", told(server.cpuPercent, (value) => `${value.toFixed(0)} % of a core`)],
    [
      "memory",
      told(
        server.rssBytes,
        (value) =>
          `${megabytes(value)}, ${told(server.rssBytesIdle, megabytes)} before, heap ${told(server.heapUsedBytes, megabytes)}`,
      ),
    ],
    ["event loop", told(server.eventLoopDelayP99Ms, (value) => `p99 ${value.toFixed(1)} ms late`)],
    ["load itself", `busy for ${percent(load.busy)} of the time${busy}`],
  ];
  return rows
    .filter((row) => row !== false)
    .map(([label, line]) => `${label.padEnd(12)}${oneLine(line)}`.trimEnd())
    .join("\n");
}

function faultsIn({ lost, duplicated, disordered, damaged }: Omit<Faults, "gaps">): number {
  return lost + duplicated + disordered + damaged;
}

function faultText({ lost, duplicated, disordered }: Omit<Faults, "gaps">): string {
  return `${count(lost)} lost, ${count(duplicated)} duplicated, ${count(disordered)} out of order`;
}

function readerText({ reader, trouble, gaps, ...faults }: Result["deliveries"]["readers"][number]): string {
  const places = gaps.map(({ publisher, from, to }) => `${from}–${to - 1} of publisher ${publisher}`).join(", ");
  const missing = places === "" ? "" : `; missing ${places}`;
  return `reader ${reader}: ${faultText(faults)}${missing}${trouble === undefined ? "" : `; ${trouble}`}`;
}

const PERCENTILES = ["p50", "p90", "p99", "max"] as const;
type Latency = Readonly<Record<(typeof PERCENTILES)[number], number>>;

/** Milliseconds. */
function percentiles(histogram: RecordableHistogram): Latency {
  const at = (percentile: number): number => (histogram.count === 0 ? 0 : histogram.percentile(percentile) / 1000);
  return { p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}

function latencyRow(cell: (name: keyof Latency) => string): string {
  return PERCENTILES.map((name) => cell(name).padStart(10)).join("");
}

function told(value: number | undefined, line: (value: number) => string): string {
  return value === undefined ? "not told" : line(value);
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** A number for people, with its noun in the right form. */
function count(value: number, noun = ""): string {
  const number = Math.round(value).toLocaleString("en");
  if (noun === "" || number === "1") return `${number} ${noun}`.trimEnd();
  return `${number} ${noun.replace(/y$/, "ie").replace(/sh$/, "she")}s`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
