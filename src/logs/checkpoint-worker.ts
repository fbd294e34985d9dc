import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** A write-ahead log of more pages than this (16 MiB) is worth holding the writer up for, so that it starts over. */
const LONG = 4096;

/** Milliseconds that a reader of another program may hold up such a start, and the writer with it. */
const PATIENCE = 50;

const database = new DatabaseSync(workerData as string, { timeout: PATIENCE });
const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
const restart = database.prepare("PRAGMA wal_checkpoint(RESTART)");

parentPort?.on("message", (order: "checkpoint" | "close") => {
  if (order === "close") {
    database.close();
    parentPort?.close();
    return;
  }
  try {
    const { log } = passive.get() as { log: number };
    // Most pages are moved by now, so the writer waits for the last few only; it comes back by itself. Where another
    // program still reads, nothing comes of it this time.
    if (log > LONG) restart.get();
  } finally {
    parentPort?.postMessage("done");
  }
});
