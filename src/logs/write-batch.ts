import { HubError } from "../core/errors.ts";
import type { Appended } from "../core/log.ts";
import type { Draft } from "../core/message.ts";

/** A draft that is waiting to be written. */
export interface Waiting {
  readonly draft: Draft;
  /** Answers its publisher with what was appended, or with the error. */
  settle(outcome: Appended | HubError): void;
}

/** Drafts that were appended together, and what became of each so far. */
class Group {
  readonly #outcomes: (Appended | HubError)[];
  readonly #resolve: (outcomes: readonly (Appended | HubError)[]) => void;
  #left: number;

  constructor(count: number, resolve: (outcomes: readonly (Appended | HubError)[]) => void) {
    this.#outcomes = Array.from({ length: count });
    this.#left = count;
    this.#resolve = resolve;
  }

  settle(index: number, outcome: Appended | HubError): void {
    this.#outcomes[index] = outcome;
    if (--this.#left === 0) this.#resolve(this.#outcomes);
  }
}

/** One of them. */
class Part implements Waiting {
  readonly draft: Draft;
  readonly #group: Group;
  readonly #index: number;

  constructor(draft: Draft, group: Group, index: number) {
    this.draft = draft;
    this.#group = group;
    this.#index = index;
  }

  settle(outcome: Appended | HubError): void {
    this.#group.settle(this.#index, outcome);
  }
}

const MAX_WAITING = 20_000;
const MAX_WAITING_CHARACTERS = 128 * 1024 * 1024;

/** Collects what one turn of the event loop appends, to write it together when the turn ends. */
export class WriteBatch {
  readonly #write: () => void;
  readonly #refusal: () => HubError | undefined;
  #waiting: Waiting[] = [];
  #characters = 0;
  #scheduled = false;

  /** `refusal`: why the log takes nothing now; undefined if it does. */
  constructor(write: () => void, refusal: () => HubError | undefined = () => undefined) {
    this.#write = write;
    this.#refusal = refusal;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Characters of payload that are waiting. */
  get characters(): number {
    return this.#characters;
  }

  /** Adds a draft; rejects with `OVERLOADED` if too much is waiting already. */
  add(draft: Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Appended | HubError): void =>
        outcome instanceof Error ? reject(outcome) : resolve(outcome);
      this.#push([{ draft, settle }]);
    });
  }

  /** Adds drafts, all of them or none; resolves with what became of each. */
  addAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return new Promise((resolve) => {
      if (drafts.length === 0) resolve([]);
      const group = new Group(drafts.length, resolve);
      this.#push(drafts.map((draft, index) => new Part(draft, group, index)));
    });
  }

  #push(more: readonly Waiting[]): void {
    const characters = more.reduce((sum, { draft }) => sum + draft.data.length, 0);
    const isFull =
      this.#waiting.length + more.length > MAX_WAITING || this.#characters + characters > MAX_WAITING_CHARACTERS;
    const refusal =
      this.#refusal() ??
      (isFull
        ? new HubError("OVERLOADED", "Too many messages wait for the log; publish again in a moment")
        : undefined);
    if (refusal !== undefined) {
      for (const one of more) one.settle(refusal);
      return;
    }
    this.#characters += characters;
    for (const one of more) this.#waiting.push(one);
    this.schedule();
  }

  /** Calls the writer when this turn ends. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  /** Everything that is waiting, without removing it. */
  peek(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Removes and returns everything that is waiting; or the first of it, up to bounds that one draft may pass. */
  take(most: number = Infinity, characters: number = Infinity): readonly Waiting[] {
    let [count, sum] = [this.#waiting.length, this.#characters];
    if (count > most || sum > characters) {
      [count, sum] = [0, 0];
      for (const { draft } of this.#waiting) {
        if (count === most || (count > 0 && sum + draft.data.length > characters)) break;
        sum += draft.data.length;
        count++;
      }
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#characters -= sum;
    return taken;
  }

  /** Rejects everything that is waiting. */
  fail(error: HubError): void {
    for (const one of this.take()) one.settle(error);
  }
}
