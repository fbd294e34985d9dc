import { levels, pino, type Logger } from "pino";
import type { LogOutput } from "./log-output.ts";

/** A line that the server logs. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
}

/** What the server logs with: JSON lines to `output`. `onLine` is called with each line that is logged. */
export function openLogger(level: string, output: LogOutput, onLine: (line: LogLine) => void): Logger {
  const options = {
    level,
    hooks: {
      logMethod(words: readonly unknown[], method: (...words: unknown[]) => void, number: number): void {
        onLine({ level: levels.labels[number] ?? String(number), msg: sentence(words) });
        method.apply(this, [...words]);
      },
    },
  };
  return pino(options, output);
}

/** The sentence of a line: a text of its own, or what the error says that it is about. */
function sentence([first, second]: readonly unknown[]): string {
  if (typeof first === "string") return first;
  if (typeof second === "string") return second;
  return first instanceof Error ? first.message : "";
}
