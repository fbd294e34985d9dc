import { once } from "node:events";
import { openArchive } from "../logs/open-archive.ts";
import { ndjson } from "../logs/ndjson.ts";
import { KEEPS, placeOf, runTransfer, withProgress } from "./transfer.ts";
import type { Command } from "./usage.ts";

/** `sse-mcp-server export`: all that a log keeps, as lines of JSON. */
export const exportLog: Command = {
  name: "export",
  summary: "write a log as lines of JSON: export DATA > FILE",
  help: `Usage: sse-mcp-server export DATA > FILE

Prints the log DATA, such as file:./data/hub.db, as lines of JSON: a header, a line for each message in order, a line
for each channel, and a line that says how many those were. import makes a log of them again.

${KEEPS}`,
  run: (words) => runTransfer(words, 1, "export takes DATA, such as file:./data/hub.db", writeExport),
};

async function writeExport([data = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  const { stdout } = process;
  // The reader of the output may have seen enough, as head has.
  const unread = new AbortController();
  stdout.once("error", () => unread.abort());
  const either = AbortSignal.any([unread.signal, signal]);
  await using archive = await openArchive(await placeOf(data));
  for await (const text of ndjson(withProgress(archive, signal))) {
    if (!stdout.write(text)) await once(stdout, "drain", { signal: either }).catch(() => {});
    if (unread.signal.aborted) return;
  }
}
