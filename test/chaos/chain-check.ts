import { BEGINNING, EARLIEST } from "../../src/protocol/cursor.ts";
import type { Entry } from "./record.ts";
import { isWanted, placeOf, type Truth, type Violation } from "./truth.ts";

type ReaderEntry = Extract<Entry, { readonly reader: string }>;

/** Judges what one reader was given, over all the times that it came back with its cursor. */
export class ChainCheck {
  /** The offset of every message that it got. */
  readonly got: Map<number, number> = new Map();
  delivered = 0;
  /** Acknowledged messages that it did not get, and that a gap told it of. */
  insideGaps = 0;
  /** Messages that it got again, after a gap had taken it back to where its node was. */
  repeated = 0;
  /** Whether it asked for everything there is, on all channels. */
  isComplete = false;
  readonly #reader: string;
  readonly #truth: Truth;
  readonly #violations: Violation[];
  readonly #missed: Set<number> = new Set();
  /** What it had got of what came after the place that a gap took it back to. */
  readonly #before: Set<number> = new Set();
  #channels: readonly string[] = [];
  /** It has everything up to here, or was told of what it has not; undefined until it was told where it begins. */
  #place: number | undefined;
  /** Whether it begins with what is still there, so that no gap tells it of what was lost before it came. */
  #isBeginning = false;
  /** Where the last gap ended that it was told. */
  #told: number = BEGINNING;
  /** How far it had come when a gap took it back: what it had been given since may be gone. */
  #takenBackFrom: number = BEGINNING;
  #time = 0;

  constructor(reader: string, truth: Truth, violations: Violation[]) {
    this.#reader = reader;
    this.#truth = truth;
    this.#violations = violations;
  }

  take(entry: ReaderEntry): void {
    this.#time = entry.time;
    switch (entry.kind) {
      case "open":
        this.#open(entry);
        return;
      case "message":
        this.#message(entry);
        return;
      case "place":
        this.#pass(entry.id);
        return;
      case "gap":
        this.#gap(entry);
        return;
      case "end":
    }
  }

  /** Nothing more will come. */
  finish(): void {
    if (this.#place !== undefined) this.#complete(this.#place, Infinity, "in the end");
  }

  #open({ channels, after }: Extract<ReaderEntry, { kind: "open" }>): void {
    this.#channels = channels;
    if (after !== EARLIEST || this.#place !== undefined) return;
    this.#place = BEGINNING;
    this.#isBeginning = true;
    this.isComplete = channels.includes("*");
  }

  #message({ n, id, channel }: Extract<ReaderEntry, { kind: "message" }>): void {
    const offset = placeOf(id) ?? Number.NaN;
    this.delivered++;
    if (!isWanted(channel, this.#channels)) this.#report("not asked for", `message ${n} on ${channel}`);
    const sent = this.#truth.channels.get(n);
    if (sent !== undefined && sent !== channel) this.#report("invented", `message ${n} of ${sent} on ${channel}`);
    const first = this.got.get(n);
    if (first !== undefined) {
      // The log may have a message again after it was lost, if this reader was told of that.
      const isAgain = first !== offset && (first <= this.#told || !this.#truth.isLossBetween(first, offset));
      if (!isAgain) this.#report("doubled", `message ${n} (${id})`);
    } else if (this.#place !== undefined && offset <= this.#place) {
      this.#report("reordered", `message ${n} (${id}) after ${this.#place}`);
    }
    this.got.set(n, offset);
    if (this.#before.delete(n)) this.repeated++;
    if (this.#place !== undefined) this.#complete(this.#place, offset, `before ${id}`);
    this.#place = Math.max(this.#place ?? BEGINNING, offset);
  }

  #pass(id: string): void {
    const offset = placeOf(id);
    if (offset === undefined) {
      this.#report("invented", `${id} is not a cursor`);
      return;
    }
    if (this.#place !== undefined) this.#complete(this.#place, offset + 1, `up to ${id}`);
    this.#place = Math.max(this.#place ?? offset, offset);
    this.#isBeginning = false;
  }

  #gap(gap: Extract<ReaderEntry, { kind: "gap" }>): void {
    const after = placeOf(gap.after);
    const resumed = placeOf(gap.resumed);
    if (resumed === undefined) {
      this.#report("invented", `a gap up to ${gap.resumed}, which is not a cursor`);
      return;
    }
    const place = this.#place ?? resumed;
    // What comes before the gap must be there.
    if (after !== undefined) this.#complete(place, Math.min(after, resumed) + 1, `before the gap after ${gap.after}`);
    const missing = this.#truth.between(place, resumed + 1, this.#channels);
    this.insideGaps += missing.filter(({ n, isAcknowledged }) => isAcknowledged && !this.got.has(n)).length;
    this.#told = resumed;
    this.#isBeginning = false;
    if (place > resumed) this.#takenBackFrom = Math.max(this.#takenBackFrom, place);
    // A reader that was further than its node is goes back, and must get again what comes after that.
    for (const [n, offset] of this.got) {
      if (offset <= resumed) continue;
      this.got.delete(n);
      this.#before.add(n);
    }
    this.#place = resumed;
  }

  /** Reports what it did not get after one offset and before another. */
  #complete(after: number, before: number, when: string): void {
    for (const { n, offset, channel, isAcknowledged } of this.#truth.between(after, before, this.#channels)) {
      if (this.got.has(n) || this.#missed.has(n)) continue;
      if (this.#isBeginning && this.#truth.isLossBetween(offset, before)) continue;
      if (offset <= this.#takenBackFrom && this.#truth.isGone(n)) continue;
      this.#missed.add(n);
      this.#report(isAcknowledged ? "lost" : "withheld", `message ${n} on ${channel} at ${offset} is missing ${when}`);
    }
  }

  #report(kind: Violation["kind"], text: string): void {
    this.#violations.push({ kind, time: this.#time, text: `${this.#reader}: ${text}` });
  }
}
