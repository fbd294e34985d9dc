import { setTimeout as pause } from "node:timers/promises";
import type { Place } from "./place.ts";
import type { Random } from "./random.ts";
import { READING_DOORS, type ReadingDoor, type ReadingDoorName } from "./reading-doors.ts";
import type { Recorder } from "./record.ts";

export interface ReaderOptions {
  readonly name: string;
  readonly door: ReadingDoorName;
  readonly channels: readonly string[];
  /** Where it begins: all that is kept, or what is new. */
  readonly from: "earliest" | "now";
  /** Milliseconds that it stays at one place, at most. */
  readonly stay: number;
  /** Milliseconds that it is away after that, at most. */
  readonly away: number;
}

/** Reads on with the last id it was told, at one place after another. */
export class Reader {
  readonly name: string;
  readonly #options: ReaderOptions;
  readonly #door: ReadingDoor;
  readonly #places: () => readonly Place[];
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #stop: AbortController = new AbortController();
  #cursor: string | undefined;
  #isAwake = false;
  #wake: AbortController = new AbortController();

  constructor(options: ReaderOptions, places: () => readonly Place[], random: Random, recorder: Recorder) {
    this.name = options.name;
    this.#options = options;
    this.#door = READING_DOORS[options.door]();
    this.#cursor = options.from === "earliest" ? "earliest" : undefined;
    this.#places = places;
    this.#random = random;
    this.#recorder = recorder;
  }

  get channels(): readonly string[] {
    return this.#options.channels;
  }

  /** Where it goes on; undefined before it was told. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Reads until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#read();
      const away = this.#isAwake ? 200 : this.#options.away;
      const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal]);
      await pause(this.#random.between(20, away), undefined, { signal }).catch(() => {});
      this.#wake = new AbortController();
    }
  }

  /** From now on it stays, and is away only for a moment. */
  wake(): void {
    this.#isAwake = true;
    this.#wake.abort();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #read(): Promise<void> {
    const { channels, stay } = this.#options;
    const place = this.#random.of(this.#places());
    const reader = this.name;
    const after = this.#cursor;
    const hop = AbortSignal.timeout(this.#isAwake ? 60_000 : this.#random.between(200, stay));
    const signal = AbortSignal.any([this.#stop.signal, hop]);
    this.#recorder.note({ kind: "open", reader, at: place.name, channels, after: after ?? null });
    const told = {
      message: (id: string, n: number, channel: string): void => {
        if (signal.aborted) return;
        this.#recorder.note({ kind: "message", reader, id, n, channel });
        this.#cursor = id;
      },
      place: (id: string): void => {
        if (signal.aborted) return;
        this.#recorder.note({ kind: "place", reader, id });
        this.#cursor = id;
      },
      gap: ({ reason, after: begin, resumed }: { reason: string; after: string; resumed: string }): void => {
        if (signal.aborted) return;
        this.#recorder.note({ kind: "gap", reader, reason, after: begin, resumed });
        this.#cursor = resumed;
      },
    };
    const why = await this.#door({ url: place.url, channels, after, told, signal }).catch(String);
    this.#recorder.note({ kind: "end", reader, why });
  }
}
