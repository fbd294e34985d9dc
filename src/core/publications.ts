import type { Message } from "./message.ts";

/** A publication that the log has not confirmed yet: of one draft, or of several that are appended together. */
export interface Publication {
  /** The number that this hub gave it. */
  readonly number: number;
  /** When it was appended, in milliseconds of `performance.now()`. */
  readonly since: number;
  /** Live readers its last message was offered to on all nodes; undefined until the log delivers it. */
  receivers: number | undefined;
}

/** What this hub has appended and waits for, by which it recognizes its own messages when the log delivers them. */
export class Publications {
  readonly #pending = new Map<number, Publication>();
  #last = 0;

  /** Registers what is about to be appended, until `end`. */
  begin(): Publication {
    const publication: Publication = { number: ++this.#last, since: performance.now(), receivers: undefined };
    this.#pending.set(publication.number, publication);
    return publication;
  }

  /** The log has answered. */
  end({ number }: Publication): void {
    this.#pending.delete(number);
  }

  /** The publication of a message, if it was appended here and is not answered yet. */
  of({ publication }: Message): Publication | undefined {
    return publication === undefined ? undefined : this.#pending.get(publication);
  }
}
