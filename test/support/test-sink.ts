import type { Format } from "../../src/core/message.ts";
import type { Signal } from "../../src/protocol/signal.ts";
import type { CloseReason, Sink } from "../../src/core/sink.ts";

/** What a reader was given, in its order. */
export type SinkEntry =
  | { readonly kind: "message"; readonly id: string | undefined; readonly channel: string; readonly data: unknown }
  | Signal
  | { readonly kind: "close"; readonly reason: CloseReason };

type EntryOf<K, E = SinkEntry> = E extends { readonly kind: infer L } ? (K extends L ? E : never) : never;

/** A format whose bytes a `TestSink` can read back; a new object is a new kind of reader. */
export function testFormat(): Format {
  return {
    encode: ({ channel, data }, id) =>
      Buffer.from(`${JSON.stringify({ kind: "message", id, channel, data: JSON.parse(data) as unknown })}\n`),
    join: (parts) => Buffer.concat(parts),
  };
}

const TEXT = testFormat();

/** A reader's socket without a socket: keeps what it is given, and takes it at once unless it is stalled. */
export class TestSink implements Sink {
  readonly format: Format;
  readonly entries: SinkEntry[] = [];
  /** How many times it was written to. */
  writes = 0;
  pending = 0;
  /** Called with each thing that comes, when it comes. */
  onEntry: (entry: SinkEntry) => void = () => {};
  #stalled = false;
  #waiting: (() => void)[] = [];

  constructor(format: Format = TEXT) {
    this.format = format;
  }

  /** Data of the messages it was given. */
  get data(): unknown[] {
    return this.entries.flatMap((entry) => (entry.kind === "message" ? [entry.data] : []));
  }

  /** Ids of the messages it was given. */
  get ids(): (string | undefined)[] {
    return this.entries.flatMap((entry) => (entry.kind === "message" ? [entry.id] : []));
  }

  /** Everything it was given, without ids: data of messages, and the kinds of the rest. */
  get story(): unknown[] {
    return this.entries.map((entry) => (entry.kind === "message" ? entry.data : entry.kind));
  }

  get closed(): CloseReason | undefined {
    const last = this.entries.at(-1);
    return last?.kind === "close" ? last.reason : undefined;
  }

  /** Callers of `drained` that are still waiting. */
  get waiting(): number {
    return this.#waiting.length;
  }

  of<K extends SinkEntry["kind"]>(kind: K): EntryOf<K>[] {
    return this.entries.filter((entry) => entry.kind === kind) as EntryOf<K>[];
  }

  /** Takes nothing from now on. */
  stall(): void {
    this.#stalled = true;
  }

  /** Takes what it was given, and everything from now on. */
  resume(): void {
    this.#stalled = false;
    this.take();
  }

  /** Takes what it was given. */
  take(): void {
    this.pending = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  write(bytes: Uint8Array): boolean {
    this.writes++;
    if (this.#stalled) this.pending += bytes.length;
    for (const line of Buffer.from(bytes).toString().split("\n")) {
      if (line !== "") this.#enter(JSON.parse(line) as SinkEntry);
    }
    return this.pending === 0;
  }

  signal(signal: Signal): void {
    this.#enter(signal);
  }

  drained(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(reason: CloseReason): void {
    this.#enter({ kind: "close", reason });
    this.take();
  }

  #enter(entry: SinkEntry): void {
    this.entries.push(entry);
    this.onEntry(entry);
  }
}
