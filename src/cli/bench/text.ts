import { oneLine } from "../../wire/one-line.ts";
import { count } from "./count.ts";
import type { FaultyReader } from "./orders.ts";
import type { Percentiles } from "./histogram.ts";
import type { Options } from "./options.ts";
import { complaints } from "./result.ts";
import type { Result } from "./result.ts";
import type { InfoOverRun } from "./server-info.ts";

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

function verdict(result: Result): string {
  const wrong = complaints(result);
  if (wrong.length > 0) return `Failed: ${wrong.join(", ")}.`;
  const { connects, publishes } = result;
  return `Passed: ${count(connects.connected, "reader")} got all of ${count(publishes.answered, "message")}, each once and in order.`;
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
