import { HubError } from "./errors.ts";
import { CLOCK_CHECK } from "./leased-work.ts";
import type { QuestionEntry } from "./question.ts";
import type { RecordIndex } from "./record-index.ts";

export interface QuestionUpkeepOptions {
  readonly index: Pick<RecordIndex<QuestionEntry>, "all">;
  readonly now: () => number;
  /** Closes a question whose time is up. */
  readonly timeOut: (id: string) => Promise<void>;
  /** Publishes what is not told yet of a question. */
  readonly tell: (id: string) => Promise<void>;
  /** Removes a question that was closed long ago. */
  readonly remove: (id: string) => Promise<void>;
  readonly report: (sentence: string) => void;
}

/** Open questions: of all, on one channel, and of one principal. */
const MAX_OPEN = 10_000;
const MAX_OPEN_ON_CHANNEL = 1000;
const MAX_OPEN_PER_ASKER = 20;
/** Characters of the records of all open questions, and of all closed ones: every node reads them when it starts. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Closed questions that are kept, and for how many milliseconds. */
const MAX_CLOSED = 10_000;
export const KEPT_CLOSED: number = 7 * 86_400_000;
/** Milliseconds after which a change that its own node has not told is told by the node with the lease. */
const UNTOLD = 2000;
/** Milliseconds before what the log refuses, such as for `MAX_CHANNELS`, is tried again. */
const RETRY = 10_000;
/** Questions that are looked after together. */
const BATCH = 64;

/** What the node with the lease does for all questions: it closes, tells and removes what is due. */
export class QuestionUpkeep {
  readonly #options: QuestionUpkeepOptions;
  /** When each question whose message the log refused is tried again. */
  readonly #retryAt = new Map<string, number>();

  constructor(options: QuestionUpkeepOptions) {
    this.#options = options;
  }

  /** When there is something to do next, in milliseconds since 1970. */
  next(): number {
    return this.#options.index.all().reduce((next, entry) => Math.min(next, this.dueTime(entry)), Infinity);
  }

  /** Does what is due; resolves with the milliseconds to wait before it is called again. */
  async run(signal: AbortSignal): Promise<number> {
    const { index, now, remove } = this.#options;
    for (;;) {
      for (const { id } of surplus(index.all()).slice(0, BATCH)) await remove(id);
      const time = now();
      const due = index.all().filter((entry) => this.dueTime(entry) <= time);
      if (due.length === 0 || signal.aborted) return 0;
      const goesOn = await Promise.all(due.slice(0, BATCH).map((entry) => this.#lookAfter(entry)));
      if (goesOn.includes(false)) return CLOCK_CHECK;
    }
  }

  /** When there is something to do for a question. */
  dueTime({ id, isOpen, due, closed, isUntold, changed }: QuestionEntry): number {
    const end = isOpen ? (due ?? Infinity) : (closed ?? 0) + KEPT_CLOSED;
    return isUntold ? Math.min(end, Math.max(changed + UNTOLD, this.#retryAt.get(id) ?? 0)) : end;
  }

  /** Resolves with false if the log cannot be reached, so that the rest would fail as well. */
  async #lookAfter({ id, isOpen, due, isUntold }: QuestionEntry): Promise<boolean> {
    const { now, timeOut, tell, remove, report } = this.#options;
    const time = now();
    try {
      if (isOpen && (due ?? Infinity) <= time) await timeOut(id);
      else if (isUntold) await tell(id);
      else await remove(id);
      this.#retryAt.delete(id);
      return true;
    } catch (error) {
      const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
      if (!(error instanceof HubError) || code === "LOG_UNAVAILABLE" || code === "SHUTTING_DOWN") return false;
      if (code === "NOT_FOUND") return true;
      if (!this.#retryAt.has(id))
        report(`a question cannot be told on its channel, and is tried again: ${String(message)}`);
      this.#retryAt.set(id, time + RETRY);
      return true;
    }
  }
}

/** Throws `TOO_MANY_QUESTIONS` if one more question does not fit. */
export function checkRoom(all: readonly QuestionEntry[], one: QuestionEntry): void {
  const { askerId, channel } = one;
  let [open, own, onChannel, bytes] = [0, 0, 0, one.bytes];
  for (const other of all) {
    if (!other.isOpen) continue;
    open++;
    // If no one needs a credential, no asker is told from another, so there is no bound for one.
    if (askerId !== undefined && other.askerId === askerId) own++;
    if (other.channel === channel) onChannel++;
    bytes += other.bytes;
  }
  if (own >= MAX_OPEN_PER_ASKER) throw tooMany(`You have ${own} open questions`);
  if (onChannel >= MAX_OPEN_ON_CHANNEL) throw tooMany(`There are ${onChannel} open questions on ${channel}`);
  if (open >= MAX_OPEN) throw tooMany(`There are ${open} open questions`);
  if (bytes > MAX_BYTES) throw tooMany(`All open questions together would have ${bytes} bytes`);
}

/** Closed questions beyond what is kept of them, the oldest first. */
function surplus(all: readonly QuestionEntry[]): readonly QuestionEntry[] {
  const closed = all.filter(({ isOpen, isUntold }) => !isOpen && !isUntold);
  let bytes = closed.reduce((sum, entry) => sum + entry.bytes, 0);
  if (closed.length <= MAX_CLOSED && bytes <= MAX_BYTES) return [];
  closed.sort((a, b) => (a.closed ?? 0) - (b.closed ?? 0));
  let count = 0;
  while (closed.length - count > MAX_CLOSED || bytes > MAX_BYTES) bytes -= closed[count++]?.bytes ?? 0;
  return closed.slice(0, count);
}

function tooMany(what: string): HubError {
  const sentence = `${what}, which is the limit; cancel some, or ask again once some are closed`;
  return new HubError("TOO_MANY_QUESTIONS", sentence);
}
