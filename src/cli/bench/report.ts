import { oneLine } from "../../protocol/text.ts";
import type { FaultyReader, Percentiles, Result } from "./load.ts";
import type { Options } from "./options.ts";
import type { InfoOverRun } from "./server-info.ts";

/** The part of its time above which the load itself held a run back, 0 to 1. */
const BUSY = 0.95;

/** The report for people. */
export function resultText(options: Options, channel: string, result: Result, info: InfoOverRun): string {
  const { connects, publishes, deliveries } = result;
  const pace = options.rate > 0 ? `${options.rate} publishes/s` : "closed loop";
  return [
    row("server", `${options.url.href}, channel ${channel}, door ${options.door}`),
    row(
      "load",
      `${count(options.readers, "reader")}, ${count(options.publishers, "publisher")}, ${pace}, ${options.seconds} s, payloads of ${options.size} bytes`,
    ),
    "",
    row(
      "connected",
      `${count(connects.connected)} of ${count(connects.wanted, "reader")} in ${connects.seconds.toFixed(2)} s, ${count(connects.perSecond)}/s`,
    ),
    ...connects.troubles.map((trouble) => row("", oneLine(`not connected: ${trouble}`))),
    row("published", `${count(publishes.answered, "message")}, ${count(publishes.perSecond)}/s`),
    ...(publishes.failed > 0
      ? [row("", oneLine(`${count(publishes.failed)} failed: ${publishes.trouble ?? "no answer"}`))]
      : []),
    ...(publishes.behind > 0
      ? [row("", `${count(publishes.behind)} more were due and not sent: publishers waited for answers`)]
      : []),
    row(
      "delivered",
      `${count(deliveries.delivered)} of ${count(deliveries.expected)} expected, ${count(deliveries.perSecond)}/s; ` +
        `${count(deliveries.lost)} lost, ${count(deliveries.duplicated)} duplicated, ${count(deliveries.disordered)} out of order`,
    ),
    ...deliveries.readers.map((reader) => row("", readerText(reader))),
    ...(deliveries.faultyReaders > deliveries.readers.length
      ? [row("", `and ${count(deliveries.faultyReaders - deliveries.readers.length, "reader")} more`)]
      : []),
    "",
    row("ms", ["p50", "p90", "p99", "max"].map((name) => name.padStart(10)).join("")),
    row("publish", latencyText(publishes.latency)),
    row("delivery", latencyText(deliveries.latency)),
    "",
    row("server CPU", cpuText(info)),
    row("memory", memoryText(info)),
    row(
      "event loop",
      info.end.eventLoopDelayP99Ms === undefined
        ? "not told"
        : `p99 ${info.end.eventLoopDelayP99Ms.toFixed(1)} ms late`,
    ),
    row("load itself", loadText(result)),
    "",
    verdict(result),
  ].join("\n");
}

/** The report for programs. */
export function resultJson(options: Options, channel: string, result: Result, info: InfoOverRun): string {
  const { rssBytes, heapUsedBytes, eventLoopDelayP99Ms } = info.end;
  const server = {
    cpuPercent: cpuPercent(info),
    rssBytes,
    rssBytesIdle: info.idle.rssBytes,
    heapUsedBytes,
    eventLoopDelayP99Ms,
  };
  return JSON.stringify({ verdict: verdict(result), options, channel, ...result, server });
}

/** What is wrong with a run, in words; empty when nothing is. */
export function complaints({ connects, publishes, deliveries }: Result): readonly string[] {
  const { lost, duplicated, disordered, damaged, faultyReaders } = deliveries;
  return [
    ...complaint(connects.wanted - connects.connected, "reader", "not connected"),
    ...(publishes.answered === 0 ? ["nothing was published"] : complaint(publishes.failed, "publish", "failed")),
    ...complaint(lost, "delivery", "lost"),
    ...complaint(duplicated, "delivery", "duplicated"),
    ...complaint(disordered, "delivery", "out of order"),
    ...complaint(damaged, "delivery", "damaged"),
    ...(lost + duplicated + disordered + damaged === 0 ? complaint(faultyReaders, "reader", "cut off") : []),
  ];
}

function complaint(number: number, noun: string, what: string): readonly string[] {
  return number > 0 ? [`${count(number, noun)} ${what}`] : [];
}

function verdict(result: Result): string {
  const { connects, publishes, deliveries, load } = result;
  const wrong = complaints(result);
  // A reader that is cut, or a message that is late, because this process did not read says nothing about the server.
  const isOnlyLate = deliveries.duplicated + deliveries.disordered + deliveries.damaged + publishes.failed === 0;
  if (wrong.length > 0 && load.busy >= BUSY && isOnlyLate && connects.connected === connects.wanted) {
    return (
      `Not judged: the load was busy for ${asPercent(load.busy)} of the time and checked ` +
      `${count(deliveries.perSecond)} deliveries a second, the most it can here (${wrong.join(", ")}). ` +
      "Use fewer readers, a lower --rate, or another machine."
    );
  }
  if (wrong.length > 0) return `Failed: ${wrong.join(", ")}.`;
  return `Passed: ${count(connects.connected, "reader")} got all of ${count(publishes.answered, "message")}, each once and in order.`;
}

function loadText({ load: { busy } }: Result): string {
  const own = busy >= BUSY ? "; the latencies are its own, so use fewer readers or a lower --rate" : "";
  return `busy for ${asPercent(busy)} of the time${own}`;
}

function asPercent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** A number for people, with its noun in the right form. */
function count(value: number, noun = ""): string {
  const number = Math.round(value).toLocaleString("en");
  if (noun === "") return number;
  return `${number} ${number === "1" ? noun : plural(noun)}`;
}

function plural(noun: string): string {
  if (noun.endsWith("y")) return `${noun.slice(0, -1)}ies`;
  return noun.endsWith("sh") ? `${noun}es` : `${noun}s`;
}

function readerText({ reader, lost, duplicated, disordered, gaps, trouble }: FaultyReader): string {
  const places = gaps.map(({ publisher, from, to }) => `${from}–${to - 1} of publisher ${publisher}`).join(", ");
  const counts = `${count(lost)} lost, ${count(duplicated)} duplicated, ${count(disordered)} out of order`;
  return `reader ${reader}: ${counts}${places && `; missing ${places}`}${trouble === undefined ? "" : `; ${trouble}`}`;
}

function cpuText(info: InfoOverRun): string {
  const percent = cpuPercent(info);
  return percent === undefined ? "not told" : `${percent.toFixed(0)} % of a core`;
}

// The total over the run when the server tells it, because its own percentage is that of the last moment.
function cpuPercent({ start, end }: InfoOverRun): number | undefined {
  if (start.cpuSeconds === undefined || end.cpuSeconds === undefined) return end.cpuPercent;
  return ((end.cpuSeconds - start.cpuSeconds) / (end.asked - start.asked)) * 1e5;
}

function memoryText({ idle, end }: InfoOverRun): string {
  if (end.rssBytes === undefined) return "not told";
  const was = idle.rssBytes === undefined ? "" : `, ${megabytes(idle.rssBytes)} before`;
  const heap = end.heapUsedBytes === undefined ? "" : `, heap ${megabytes(end.heapUsedBytes)}`;
  return `${megabytes(end.rssBytes)}${was}${heap}`;
}

function latencyText({ p50, p90, p99, max }: Percentiles): string {
  return [p50, p90, p99, max].map((value) => value.toFixed(2).padStart(10)).join("");
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function row(label: string, text: string): string {
  return `${label.padEnd(12)}${text}`;
}
