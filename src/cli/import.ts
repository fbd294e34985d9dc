import { writeArchive } from "../logs/open-archive.ts";
import { readNdjson } from "../logs/ndjson.ts";
import { counts, KEEPS, placeOf, runTransfer, shownPlace, withProgress } from "./transfer.ts";
import { UsageError, type Command } from "./usage.ts";

/** `sse-mcp-server import`: a new log from what `export` wrote. */
export const importLog: Command = {
  name: "import",
  summary: "make a log of what export wrote: import DATA < FILE",
  help: `Usage: sse-mcp-server import DATA < FILE

Reads what export wrote from standard input into a new log, DATA, such as file:./data/hub.db. It must not exist. If the
input is not whole, nothing is left there.

${KEEPS}`,
  run: (words) =>
    runTransfer(words, 1, "import takes DATA, such as file:./data/hub.db, and an export on standard input", readExport),
};

async function readExport([data = ""]: readonly string[], signal: AbortSignal): Promise<void> {
  if (process.stdin.isTTY)
    throw new UsageError("import reads what export wrote from standard input: import DATA < FILE");
  const { stdin } = process;
  signal.addEventListener("abort", () => stdin.destroy(signal.reason as Error));
  try {
    const archive = await readNdjson(stdin);
    const tally = await writeArchive(await placeOf(data), withProgress(archive, signal));
    process.stdout.write(`imported ${counts(tally)} into ${shownPlace(data)}\n`);
  } finally {
    // What is not read would keep the process alive.
    stdin.destroy();
  }
}
