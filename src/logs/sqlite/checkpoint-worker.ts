import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointOrder } from "./wal.ts";

/** Pages of the write-ahead log (about 14 MiB) above which the writer is blocked until the log can restart. */
const LONG = 3500;

/** Milliseconds that a reader in another program may delay such a restart, and the writer with it. */
const BUSY_TIMEOUT = 50;

const database = new DatabaseSync(new URL(workerData as string), { timeout: BUSY_TIMEOUT });
const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
const restart = database.prepare("PRAGMA wal_checkpoint(RESTART)");
const truncate = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");

/** Pages in the write-ahead log, and how many of them are in the database, too. */
interface Result {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

parentPort?.on("message", (order: CheckpointOrder | "close") => {
  if (order === "close") {
    database.close();
    parentPort?.close();
    return;
  }
  let isMoved = false;
  try {
    let result = passive.get() as unknown as Result;
    // Most pages are in the database by now, so the writer waits only for the last few. If another program is still
    // reading, this has no effect, and a later checkpoint tries again.
    if (order === "empty") result = truncate.get() as unknown as Result;
    else if (result.log > LONG) result = restart.get() as unknown as Result;
    isMoved = result.busy === 0 && result.log === result.checkpointed;
  } finally {
    parentPort?.postMessage(isMoved);
  }
});
