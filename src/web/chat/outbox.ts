import type { Message, Receipt } from "../../client/index.ts";

/** A message of this page on its way to the log. */
export interface Outgoing {
  /** Its idempotency key: however often it is sent, it is kept once. */
  readonly key: string;
  readonly channel: string;
  readonly text: string;
  readonly sender: string | undefined;
  /** What is published, if it is not the text alone: an event of this name with this payload. */
  readonly about?: { readonly event: string; readonly data: unknown } | undefined;
  state: "sending" | "kept" | "failed";
  /** Why it failed. */
  reason?: string;
  /** It failed for now only. */
  passing?: boolean;
  receipt?: Receipt;
  /** The id of a message that came in meanwhile and looks like this one. */
  seen?: string;
}

export interface OutboxOptions {
  /** Rejects with an error that has `final` if sending the same message again cannot succeed. */
  readonly publish: (message: Outgoing, signal: AbortSignal) => Promise<Receipt>;
  /** Whether a published message needs no line of its own: it is shown among the others, or its channel is not open. */
  readonly isShown: (message: Outgoing, id: string) => boolean;
  /** Called when the outbox has to be rendered again. */
  readonly changed: () => void;
  /** The message of this id, which is shown, turned out to be one of ours. */
  readonly kept: (id: string, receipt: Receipt) => void;
  /** Keeps the outbox while the page reloads. */
  readonly store: { get(): unknown; set(value: unknown): void };
}

/** Messages until they are shown among the others, sent one after the other so that they stay in order. */
export class Outbox {
  readonly #options: OutboxOptions;
  #all: Outgoing[];
  #attempt: AbortController | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#all = restored(options.store.get());
  }

  /** What is not shown among the others yet, in order. */
  of(channel: string): readonly Outgoing[] {
    return this.#all.filter((message) => message.channel === channel && message.seen === undefined);
  }

  add(channel: string, text: string, sender: string | undefined, about?: Outgoing["about"]): void {
    this.#all.push({ key: newKey(), channel, text, sender, about, state: "sending" });
    this.#change();
    void this.send();
  }

  retry(message: Outgoing): void {
    message.state = "sending";
    delete message.reason;
    this.#change();
    void this.send();
  }

  discard(message: Outgoing): void {
    this.#remove(message);
  }

  /** The hub is back: what waits for another attempt has waited long enough. */
  hurry(): void {
    for (const message of this.#all) if (message.state === "failed" && message.passing) message.state = "sending";
    this.#attempt?.abort();
    this.#change();
    void this.send();
  }

  /** A message comes in live. If it is one of ours, it leaves the outbox; the receipt is returned if it is known. */
  claim({ id, channel, event, data, sender, via }: Message): Receipt | undefined {
    if (id === null || via !== undefined) return undefined;
    const known = this.#all.find(({ receipt }) => receipt?.id === id);
    if (known !== undefined) {
      this.#remove(known);
      return known.receipt;
    }
    // It often comes before the answer does. Only the answer proves that it is ours.
    const alike = this.#all.find((message) => {
      const isOpen = message.state === "sending" && message.seen === undefined && message.channel === channel;
      const { event: ownEvent, data: own } = message.about ?? { event: "message", data: message.text };
      const isSame = event === ownEvent && JSON.stringify(data) === JSON.stringify(own);
      return isOpen && isSame && (message.sender ?? "anyone") === sender;
    });
    if (alike !== undefined) {
      alike.seen = id;
      this.#change();
    }
    return undefined;
  }

  /** Lets go of what is shown among the others by now. */
  settle(): void {
    this.#all.forEach((message) => this.#settle(message));
  }

  /** Sends what waits, unless that is being done. */
  async send(): Promise<void> {
    if (this.#attempt !== undefined) return;
    for (;;) {
      const message = this.#all.find(({ state }) => state === "sending");
      if (message === undefined) return;
      this.#attempt = new AbortController();
      const { signal } = this.#attempt;
      try {
        message.receipt = await this.#options.publish(message, signal);
        message.state = "kept";
      } catch (error) {
        if (!signal.aborted) fail(message, error as Error & { final?: boolean });
      } finally {
        this.#attempt = undefined;
      }
      this.#settle(message);
      this.#change();
    }
  }

  #settle(message: Outgoing): void {
    const { receipt, seen, state } = message;
    if (state === "failed") delete message.seen;
    if (receipt === undefined || receipt.id === null) return;
    if (seen !== undefined && seen !== receipt.id) delete message.seen;
    if (!this.#options.isShown(message, receipt.id)) return;
    this.#options.kept(receipt.id, receipt);
    this.#remove(message);
  }

  #remove(message: Outgoing): void {
    this.#all = this.#all.filter((other) => other !== message);
    this.#change();
  }

  #change(): void {
    this.#options.store.set(this.#all.map((message) => ({ ...message, seen: undefined })));
    this.#options.changed();
  }
}

function fail(message: Outgoing, { message: reason, final }: Error & { final?: boolean }): void {
  message.state = "failed";
  message.reason = reason;
  message.passing = final !== true;
}

/** What the store holds; empty if that is not what the outbox wrote. */
function restored(value: unknown): Outgoing[] {
  return Array.isArray(value) ? value.filter(isOutgoing) : [];
}

function isOutgoing(value: unknown): value is Outgoing {
  const { key, channel, text, state } = (value ?? {}) as Partial<Record<keyof Outgoing, unknown>>;
  return [key, channel, text, state].every((field) => typeof field === "string");
}

function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");
}
