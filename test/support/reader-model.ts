import assert from "node:assert/strict";
import { covers, type ChannelPattern } from "../../src/protocol/channel.ts";
import { BEGINNING, parseCursor } from "../../src/protocol/cursor.ts";
import type { Message } from "../../src/core/message.ts";
import type { SinkEntry, TestSink } from "./test-sink.ts";

/** What really happened in a log whose offsets begin at 1 and leave none out. */
export interface Truth {
  /** Every message that was kept, dropped since or not. */
  readonly kept: readonly Message[];
  /** By data: each ephemeral message. */
  readonly ephemeral: ReadonlyMap<unknown, Message>;
  readonly epoch: string;
  /** The last offset that retention dropped. */
  droppedTo(): number;
}

/**
 * Judges one reader's stream as it comes: in order, contiguous on its channels, nothing twice, or with a gap that covers
 * exactly what is missing; and no cursor it is told claims more than it was given.
 */
export class ReaderModel {
  readonly sink: TestSink;
  /** Every cursor it was told. */
  readonly cursors: string[] = [];
  readonly #truth: Truth;
  /** Each channel or pattern it reads, with the offset after which it wants messages. */
  readonly #since = new Map<ChannelPattern, number>();
  readonly #ephemeral = new Set<unknown>();
  /** Everything up to here that it wants has come, or a gap told of it. */
  #passed: number | undefined;
  #unknown: { readonly after: string; readonly resumed: string } | undefined;
  #gone = false;
  #failure: unknown;

  constructor(sink: TestSink, truth: Truth) {
    this.sink = sink;
    this.#truth = truth;
    sink.onEntry = (entry) => {
      try {
        this.#judge(entry);
        const paged =
          entry.kind === "gap" ? entry.reason === "expired" : entry.kind === "message" || entry.kind === "live";
        if (paged) this.#begin();
      } catch (error) {
        // Not thrown here: a sink never throws, and a hub may make something else of it.
        this.#failure ??= error;
      }
    };
  }

  get #place(): number {
    return this.#passed ?? 0;
  }

  get gone(): boolean {
    return this.#gone;
  }

  get channels(): ChannelPattern[] {
    return [...this.#since.keys()];
  }

  /** To be called before the hub hears of channels to add; `now` is what it has delivered. */
  expect(after: string | undefined, now: number): void {
    const unknown = after !== undefined && this.#start(after) === undefined;
    if (unknown) this.#unknown = { after, resumed: `${this.#truth.epoch}-${now}` };
  }

  /** To be called when the hub has heard of channels to add: what their reader had still to be given came before. */
  add(channels: readonly ChannelPattern[], after: string | undefined, now: number): void {
    if (this.#gone) return;
    assert.equal(this.#unknown, undefined, "no gap was told for an unknown cursor");
    this.#passed ??= now;
    for (const [pattern, since] of this.#since) this.#since.set(pattern, Math.max(since, this.#place));
    const start = (after === undefined ? now : this.#start(after)) ?? now;
    for (const pattern of channels) {
      const since = this.#since.get(pattern);
      if (since === undefined) this.#since.set(pattern, start);
      else if (after !== undefined) this.#since.set(pattern, Math.min(since, start));
    }
    this.#passed = Math.min(this.#place, start);
  }

  remove(channels: readonly ChannelPattern[]): void {
    for (const pattern of channels) this.#since.delete(pattern);
  }

  leave(): void {
    this.#gone = true;
  }

  /** When nothing is on its way any more; throws what was wrong first. */
  finish(): void {
    this.sink.onEntry = () => {};
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#gone) this.#complete(Infinity, "in the end");
  }

  #judge(entry: SinkEntry): void {
    assert.ok(!this.#gone, `${entry.kind} came to a reader that is gone`);
    if (entry.kind === "close") {
      assert.equal(entry.reason, "slow");
      this.#gone = true;
    } else if (entry.kind === "gap") {
      if (entry.reason === "unknown_cursor") {
        assert.deepEqual(this.#unknown, { after: entry.after, resumed: entry.resumed });
        this.#unknown = undefined;
      } else this.#missing(this.#offset(entry.after), this.#offset(entry.resumed));
      this.cursors.push(entry.resumed);
    } else if (entry.kind !== "message") {
      this.#passTo(this.#offset(entry.id), entry.kind);
      this.cursors.push(entry.id);
    } else if (entry.id === undefined) {
      const message = this.#truth.ephemeral.get(entry.data);
      assert.ok(message !== undefined && this.#reads(message), "an ephemeral message of another channel came");
      assert.ok(!this.#ephemeral.has(entry.data), "an ephemeral message came twice");
      this.#ephemeral.add(entry.data);
      this.#passTo(message.offset, "ephemeral");
    } else {
      const offset = this.#offset(entry.id);
      const message = this.#truth.kept[offset - 1];
      assert.ok(message !== undefined && message.offset === offset, `message ${offset} does not exist`);
      assert.deepEqual([entry.channel, JSON.stringify(entry.data)], [message.channel, message.data]);
      assert.ok(offset > this.#place, `message ${offset} came after ${this.#place} was passed`);
      assert.ok(this.#wants(message), `message ${offset} was not asked for`);
      this.#complete(offset - 1, `before ${offset}`);
      this.#passed = offset;
      this.cursors.push(entry.id);
    }
  }

  /** Its first page was read. */
  #begin(): void {
    for (const [pattern, since] of this.#since) this.#since.set(pattern, Math.max(since, 0));
  }

  #passTo(offset: number, what: string): void {
    assert.ok(offset >= Math.max(this.#place, 0), `${what} at ${offset} after ${this.#place} was passed`);
    this.#complete(offset, `before ${what} at ${offset}`);
    this.#passed = Math.max(this.#place, offset);
  }

  #missing(after: number, resumed: number): void {
    const last = this.#truth.kept[resumed - 1];
    assert.ok(resumed <= this.#truth.droppedTo(), `a gap up to ${resumed}, which is kept`);
    assert.ok(
      last !== undefined && resumed > this.#place && this.#wants(last),
      `a gap up to ${resumed}, not asked for`,
    );
    assert.ok(after <= resumed, `a gap from ${after} to ${resumed}`);
    this.#complete(after, `before a gap from ${after}`);
    this.#passed = resumed;
  }

  /** Nothing that it wants, up to an offset, has been left out. */
  #complete(offset: number, when: string): void {
    for (let index = Math.max(this.#place, 0); index < Math.min(offset, this.#truth.kept.length); index++) {
      const message = this.#truth.kept[index] as Message;
      // Who asks for the earliest asks for what is still kept when its first page is read.
      const from = message.offset <= this.#truth.droppedTo() ? 0 : BEGINNING;
      assert.ok(!this.#wants(message, from), `message ${message.offset} is missing ${when}`);
    }
  }

  #wants(message: Message, from: number = BEGINNING): boolean {
    const since = [...this.#since].filter(([pattern]) => covers(pattern, message.channel));
    return since.some(([, offset]) => offset >= from && message.offset > offset);
  }

  #reads(message: Message): boolean {
    return this.channels.some((pattern) => covers(pattern, message.channel));
  }

  #start(after: string): number | undefined {
    if (after === "earliest") return BEGINNING;
    const cursor = parseCursor(after);
    const known = cursor?.epoch === this.#truth.epoch && cursor.offset <= this.#truth.kept.length;
    return known ? cursor.offset : undefined;
  }

  #offset(id: string): number {
    const cursor = parseCursor(id);
    assert.ok(cursor?.epoch === this.#truth.epoch, `${id} is no cursor of this log`);
    return cursor.offset;
  }
}
