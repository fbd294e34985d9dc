import type { FastifyServerOptions } from "fastify";
import type { LogOutput } from "./log-output.ts";
import type { LogLine } from "./hub-channels.ts";

export interface LoggerOptions {
  readonly logLevel: string;
  readonly output: LogOutput;
  /** Told of each line that is logged. */
  readonly onLog: (line: LogLine) => void;
}

/** Pino's names of its levels. */
const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** What the server logs with. */
export function logger({ logLevel, output, onLog }: LoggerOptions): FastifyServerOptions["logger"] {
  if (logLevel === "silent") return false;
  return {
    level: logLevel,
    stream: output,
    hooks: {
      logMethod(words, method, level) {
        onLog({ level: LEVELS[level] ?? String(level), msg: sentence(words) });
        method.apply(this, words);
      },
    },
  };
}

/** The sentence of a line: a text of its own, or what the error says that it is about. */
function sentence([first, second]: readonly unknown[]): string {
  if (typeof first === "string") return first;
  if (typeof second === "string") return second;
  return first instanceof Error ? first.message : "";
}
