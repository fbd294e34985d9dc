import { BEGINNING, type Cursor } from "../../src/protocol/cursor.ts";
import type { Log, LogPage } from "../../src/core/log.ts";
import { patternsOf } from "./sample.ts";

const PATTERNS = [["*"], ["a"], ["b"], ["b.*"], ["a", "b.*"], ["never"]];

/** What readers see of a log: from any place, on any channels, with any cursor. */
export interface LogView {
  readonly head: number;
  readonly pages: readonly Pick<LogPage, "messages" | "dropped" | "isLost">[];
  readonly channels: ReturnType<Log["channels"]>;
  readonly known: readonly Cursor[];
  readonly messages: number;
  readonly bytes: number;
}

/** Looks at all of a log; `epochs` are those that may be known. */
export async function viewOf(log: Log, epochs: readonly string[]): Promise<LogView> {
  const head = await log.follow(() => {});
  const places = Array.from({ length: Math.min(head + 3, 60) }, (_, place) => head + 1 - place);
  const pages = [];
  for (const after of [BEGINNING, ...places.filter((place) => place <= head)]) {
    for (const channels of PATTERNS) {
      const { messages, dropped, isLost } = await log.read({ after, channels: patternsOf(...channels), limit: 1000 });
      pages.push({ messages, dropped, ...(isLost && { isLost }) });
    }
  }
  const cursors = epochs.flatMap((epoch) => places.map((offset) => ({ epoch, offset })));
  const { messages, bytes } = log.size();
  const [all] = patternsOf("*");
  return {
    head,
    pages,
    channels: all === undefined ? [] : log.channels({ pattern: all, limit: 1000 }),
    known: cursors.filter((cursor) => log.knows(cursor)),
    messages,
    bytes,
  };
}
