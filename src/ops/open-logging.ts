import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "pino";
import { ConfigError } from "../core/errors.ts";
import { LOG_FILE_FLAGS, LogOutput, type LogStream } from "./log-output.ts";
import { openLogger, type LogLine } from "./logger.ts";

/** The server's own log lines, and where they go. */
export function openLogging(
  { logLevel, logFile }: { readonly logLevel: string; readonly logFile: string },
  stream: LogStream,
): { log: Logger; output: LogOutput; onLine: (listener: (line: LogLine) => void) => void } {
  if (logFile !== "") checkLogFile(logFile);
  const output = logFile === "" ? LogOutput.toStream(stream) : LogOutput.toFile(logFile);
  let listener: (line: LogLine) => void = () => {};
  const log = openLogger(logLevel, output, (line) => listener(line));
  // Not through the logger, whose lines are the ones that are dropped.
  output.onTrouble = (reason) =>
    listener({ level: "error", msg: `log lines are dropped (${reason}) until they can be written` });
  output.onRecovered = (lost) =>
    log.warn(
      { lost },
      `${lost === 1 ? "1 log line was" : `${lost} log lines were`} dropped: they could not be written`,
    );
  return { log, output, onLine: (given) => (listener = given) };
}

/** Limits what Fastify logs to its errors. */
export function frameworkLog(log: Logger): Logger {
  return log.child({}, { level: log.isLevelEnabled("warn") ? "warn" : log.level });
}

/** Opens the file once, since an error of the logger itself could not be caught. */
function checkLogFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, LOG_FILE_FLAGS));
  } catch (cause) {
    throw new ConfigError(`LOG_FILE is ${JSON.stringify(path)}, which cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}
