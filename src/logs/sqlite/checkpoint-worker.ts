import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointOrder } from "./wal.ts";

/** A write-ahead log of more pages than this (about 14 MiB) is worth holding the writer up for, so that it starts over. */
const LONG = 3500;

/** Milliseconds that a reader of another program may hold up such a start, and the writer with it. */
const PATIENCE = 50;

const database = new DatabaseSync(new URL(workerData as string), { timeout: PATIENCE });
const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
const restart = database.prepare("PRAGMA wal_checkpoint(RESTART)");
const truncate = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");

/** Pages in the write-ahead log, and those of them that the database has. */
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
    // Most pages are moved by now, so the writer waits for the last few only; it comes back by itself. If another
    // program still reads, nothing comes of it this time.
    if (order === "empty") result = truncate.get() as unknown as Result;
    else if (result.log > LONG) result = restart.get() as unknown as Result;
    isMoved = result.busy === 0 && result.log === result.checkpointed;
  } finally {
    parentPort?.postMessage(isMoved);
  }
});
