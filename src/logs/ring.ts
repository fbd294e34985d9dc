import type { Message } from "../core/message.ts";

const COMPACT_AT = 1024;

/** Messages in order of offset: taken in at the end, dropped at the start, found by offset. */
export class Ring {
  #messages: (Message | undefined)[] = [];
  #start = 0;

  get size(): number {
    return this.#messages.length - this.#start;
  }

  get first(): Message | undefined {
    return this.#messages[this.#start];
  }

  push(message: Message): void {
    this.#messages.push(message);
  }

  shift(): Message | undefined {
    const first = this.#messages[this.#start];
    if (first === undefined) return undefined;
    // Let go of it now: the place it had is reused much later.
    this.#messages[this.#start++] = undefined;
    if (this.#start >= COMPACT_AT && this.#start * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }

  /** At most `limit` messages behind an offset. */
  after(offset: number, limit: number): readonly Message[] {
    const place = this.#behind(offset);
    return this.#messages.slice(place, place + limit) as Message[];
  }

  /** The last messages in front of an offset, at most `limit`. */
  before(offset: number, limit: number): readonly Message[] {
    const place = this.#behind(offset - 1);
    return this.#messages.slice(Math.max(this.#start, place - limit), place) as Message[];
  }

  /** Where the first message behind an offset stands, or would stand. */
  #behind(offset: number): number {
    let low = this.#start;
    for (let high = this.#messages.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((this.#messages[middle] as Message).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
