import { openArchive, writeArchive } from "../logs/open-archive.ts";
import { counts, KEEPS, placeOf, runTransfer, shownPlace, withProgress } from "./transfer.ts";
import type { Command } from "./usage.ts";

/** `sse-mcp-server copy`: all that one log keeps, into a new one. */
export const copy: Command = {
  name: "copy",
  summary: "copy a log to another place: copy FROM TO",
  help: `Usage: sse-mcp-server copy FROM TO

Copies the log FROM into a new one, TO; both are written as DATA is, such as file:./data/hub.db or
redis://localhost:6379. TO must not exist. If copying fails or is interrupted, nothing is left there.

${KEEPS}`,
  run: (words) => runTransfer(words, 2, "copy takes FROM and TO, such as file:./data/hub.db file:./copy.db", copyLog),
};

async function copyLog([from = "", to = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  await using archive = await openArchive(await placeOf(from));
  const tally = await writeArchive(await placeOf(to), withProgress(archive, signal));
  process.stdout.write(`copied ${counts(tally)} from ${shownPlace(from)} to ${shownPlace(to)}\n`);
}
