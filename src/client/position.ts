import { EARLIEST, offsetOf, parseCursor } from "../protocol/cursor.ts";
import type { Message } from "../protocol/message.ts";
import type { Gap } from "../protocol/signal.ts";
import { coverAll, covers } from "./pattern.ts";
import type { StreamEvent } from "./transport.ts";

/**
 * A subscription's place in the log, which makes of what a source brings what the subscription is given: each message
 * once and in order, or a gap. A source may go back for other subscriptions, and the log may have been replaced.
 */
export class Position {
  /** Everything up to here was given, or was not wanted; undefined until one from now on knows when that is. */
  cursor: string | undefined;
  /** Whether the source brings everything after the cursor. */
  covered = false;
  readonly #patterns: readonly string[];
  /** What is published before the source is live is not wanted. */
  #awaitsLive = false;
  /** Whether the stream comes through the cursor's own run of the log, so that a later place of another run follows it. */
  #isOnRun = false;
  #beginsAnywhere = false;
  /** Whether the cursor is one that a source has brought. */
  #isLed = false;
  /** The last place of the stream that does not lie after the cursor. */
  #passed: string | undefined;

  constructor(patterns: readonly string[], cursor: string | undefined) {
    this.#patterns = patterns;
    this.cursor = cursor;
  }

  /** What is new in an event. `covered` is false afterwards if the source has to be asked again, from the cursor. */
  take(event: StreamEvent): readonly (Message | Gap)[] {
    if (event.kind === "cover") this.#cover(event.patterns, event.from);
    else if (this.covered) {
      if (event.kind === "message") return this.#message(event.message);
      if (event.kind === "gap") return this.#gap(event.gap);
      return this.#reach(event.id, event.kind === "live");
    }
    return [];
  }

  #cover(patterns: readonly string[], from: string | undefined): void {
    const { cursor } = this;
    const reaches = cursor === undefined || (from !== undefined && offsetOf(from) <= offsetOf(cursor));
    this.covered = reaches && coverAll(patterns, this.#patterns);
    this.#awaitsLive = cursor === undefined && from !== undefined;
    this.#isOnRun = cursor === EARLIEST || from === cursor || runOf(from) === runOf(cursor);
    this.#beginsAnywhere = from === EARLIEST;
    this.#passed = from;
  }

  #message(message: Message): (Message | Gap)[] {
    const { id, channel } = message;
    const items: (Message | Gap)[] = [];
    if (this.#awaitsLive) return items;
    if (id !== null) {
      const place = this.#compare(id);
      if (place === "before" || place === "unknown") return items;
      if (place === "lost") items.push(this.#resume("unknown_cursor", this.#passed ?? id));
      this.#moveTo(id);
    }
    if (this.#patterns.some((pattern) => covers(pattern, channel))) items.push(message);
    return items;
  }

  #gap({ reason, after, resumed }: Gap): Gap[] {
    const { cursor } = this;
    if (cursor === undefined) return [];
    // The log ends before what the source was asked for, so a subscription that had got further is in a log that is lost.
    const goesBack = offsetOf(resumed) < offsetOf(after) && offsetOf(after) <= offsetOf(cursor);
    if (!goesBack && this.#compare(resumed) === "before") return [];
    this.covered = true;
    return [this.#resume(reason, resumed)];
  }

  #reach(id: string, isEnd: boolean): Gap[] {
    if (this.#awaitsLive && !isEnd) return [];
    this.#awaitsLive = false;
    const { cursor } = this;
    // Only a log that is lost leads beyond the end of the log; a cursor from elsewhere may be later than what is on its way.
    const isLed = this.#isLed || runOf(id) !== runOf(cursor);
    const isBeyondEnd = isEnd && isLed && cursor !== undefined && offsetOf(id) < offsetOf(cursor);
    const place = isBeyondEnd ? "lost" : this.#compare(id, isEnd);
    if (place === "lost") return [this.#resume("unknown_cursor", id)];
    if (place === "after") this.#moveTo(id);
    return [];
  }

  /**
   * Where a place of the stream lies. A later run of a log has the higher offsets, and no run comes twice: a stream that
   * leaves the cursor's run before the cursor is of another log. One that has not come through it may be of any log.
   */
  #compare(id: string, isEnd = false): "before" | "after" | "lost" | "unknown" {
    const { cursor } = this;
    if (cursor === undefined) return "after";
    const isAfter = offsetOf(id) > offsetOf(cursor);
    const isSameRun = runOf(id) === runOf(cursor);
    // What begins with all that is kept may begin after the cursor, and does not say so.
    if (isSameRun && !(isAfter && this.#beginsAnywhere)) this.#isOnRun = true;
    if (!isSameRun && this.#isOnRun && !isAfter) return "lost";
    if (!this.#isOnRun && (isAfter || isEnd)) {
      this.covered = false;
      return "unknown";
    }
    if (!isAfter) this.#passed = id;
    return isAfter ? "after" : "before";
  }

  #moveTo(id: string): void {
    this.cursor = id;
    this.#isLed = true;
    this.#isOnRun = true;
  }

  /** Goes on from another place, which may be an earlier one. */
  #resume(reason: string, resumed: string): Gap {
    const after = this.cursor as string;
    this.#moveTo(resumed);
    return { reason, after, resumed };
  }
}

/** The run of the log, from one opening to the next, that a cursor is of. */
function runOf(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : parseCursor(cursor)?.epoch;
}
