import type { LogPage } from "../core/log.ts";

/** Offsets that no message has, because messages with some of them may have been lost. */
export interface Hole {
  /** The last offset before it. */
  readonly after: number;
  /** Its last offset, which belongs to the run that follows. */
  readonly end: number;
}

/** A page that was read after an offset, with what was lost: told if the page begins there, and else where it ends. */
export function pageWithLosses(page: LogPage, after: number, holeAfter: (offset: number) => Hole | undefined): LogPage {
  let lost = -1;
  let hole = holeAfter(after);
  // What retention dropped reaches as far as a hole, or the page begins in one.
  while (hole !== undefined && Math.max(after, page.dropped, lost) >= hole.after) {
    lost = hole.end;
    hole = holeAfter(lost);
  }
  const told: LogPage = lost > -1 && lost >= page.dropped ? { ...page, dropped: lost, isLost: true } : page;
  if (hole === undefined || page.end <= hole.after) return told;
  const { after: end } = hole;
  // The next page begins with what is missing.
  return { ...told, messages: page.messages.filter(({ offset }) => offset <= end), end };
}
