import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { SEARCH_TIME } from "../../core/search.ts";
import { openSearchFile, removeSearchFile } from "./search-file.ts";
import { SearchIndex } from "./search-index.ts";
import { indexOf, type SearchAnswer, type SearchOrder } from "./search-thread.ts";

/** Milliseconds in which messages are taken into the index, and of the pauses in between. */
const WORK = 20;
const PAUSE = 20;
/** Milliseconds to wait for a lock on the log, which its readers need only for moments. */
const BUSY_TIMEOUT = 1000;

const path = workerData as string;
const indexPath = indexOf(path);
const index = open();
let extending: NodeJS.Timeout | undefined;

parentPort?.on("message", (order: SearchOrder | "close") => {
  if (order === "close") {
    clearTimeout(extending);
    index.close();
    parentPort?.close();
    return;
  }
  const { number, query } = order;
  attempt(() => {
    const found = query === undefined ? index.forget() : index.search(query, SEARCH_TIME);
    parentPort?.postMessage({ number, found } satisfies SearchAnswer);
    extendSoon();
  });
});

function open(): SearchIndex {
  const file = openSearchFile(indexPath);
  try {
    return new SearchIndex(new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT }), file);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Takes all messages into the index, slice by slice, so that a search in between is answered soon. */
function extendSoon(): void {
  extending ??= setTimeout(() => {
    extending = undefined;
    attempt(() => {
      if (index.extend(WORK)) extendSoon();
    });
  }, PAUSE);
}

/** If something fails, the index is removed: the next one is made from the log. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    try {
      index.close();
    } catch {
      // It is removed whatever state it is in.
    }
    removeSearchFile(indexPath);
    throw error;
  }
}
