import type { Outcome } from "./run.ts";

/** Counts of many runs, as tables in Markdown. */
export function summary(runs: readonly Outcome[]): string {
  const total = (of: (run: Outcome) => number): number => runs.reduce((sum, run) => sum + of(run), 0);
  const whole = (count: number): string => count.toLocaleString("en");
  const failed = runs.filter(({ verdict }) => verdict.violations.length > 0);
  const silences = runs.map(({ verdict }) => verdict.longestSilence).sort((one, other) => one - other);
  const counts: readonly (readonly [string, string])[] = [
    ["schedules", whole(runs.length)],
    ["messages sent", whole(total(({ verdict }) => verdict.attempted))],
    ["acknowledged", whole(total(({ verdict }) => verdict.acknowledged))],
    ["refused or unanswered", whole(total(({ verdict }) => verdict.unconfirmed))],
    ["of these, kept all the same", whole(total(({ verdict }) => verdict.unconfirmedKept))],
    ["delivered to readers", whole(total(({ verdict }) => verdict.delivered))],
    ["acknowledged, and inside a gap that a reader was told", whole(total(({ verdict }) => verdict.insideGaps))],
    ["got again after a gap that took a reader back", whole(total(({ verdict }) => verdict.repeated))],
    ["acknowledged, lost by the engine, and told", whole(total(({ verdict }) => verdict.lost))],
    [
      "of these, in schedules that delete all data",
      whole(total(({ verdict, faults }) => (faults.includes("flush") ? verdict.lost : 0))),
    ],
    ["**acknowledged, lost, and not told**", `**${whole(total(({ verdict }) => verdict.lostSilently))}**`],
    [
      "schedules with any violation",
      `${failed.length}${failed.length === 0 ? "" : `: ${failed.map(({ seed }) => seed).join(", ")}`}`,
    ],
    ["longest time without an acknowledgement, median", `${silences[silences.length >> 1] ?? 0} ms`],
    ["longest time without an acknowledgement, worst", `${silences.at(-1) ?? 0} ms`],
  ];
  const happened = tally(runs.flatMap((run) => run.faults.map((name): [string, number] => [name, 1])));
  const gaps = tally(runs.flatMap(({ verdict }) => Object.entries(verdict.gaps)));
  return [
    table(["count", ""], counts),
    table(["fault", "times"], happened),
    table(["gaps told to readers, by reason", "times"], gaps),
  ].join("\n\n");
}

function tally(pairs: readonly (readonly [string, number])[]): readonly (readonly [string, string])[] {
  const counts = new Map<string, number>();
  for (const [name, count] of pairs) counts.set(name, (counts.get(name) ?? 0) + count);
  return [...counts].sort(([one], [other]) => one.localeCompare(other)).map(([name, count]) => [name, String(count)]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
