import { Caller } from "./caller.ts";
import { micros } from "./clock.ts";
import { requestHead } from "./connect.ts";
import type { Gap } from "./faults.ts";
import type { Histogram } from "./histogram.ts";
import { addressOf, type Plan } from "./plan.ts";
import { restamp, stampedPayload } from "./stamp.ts";

const PAUSE_AFTER_TROUBLE = 100;

/** One publisher: a connection, a request that is stamped again for each message, and a count. */
export class Publisher {
  /** Messages sent, which is also the next sequence number. */
  sent = 0;
  answered = 0;
  /** Messages the server did not take, or may not have taken. */
  readonly unanswered: Gap[] = [];
  trouble: string | undefined;
  readonly #index: number;
  readonly #request: Buffer;
  readonly #payloadAt: number;
  readonly #latencies: Histogram;
  readonly #caller: Caller;
  readonly #idle: () => void;
  #sentAt = 0;
  #busy = false;

  /** Calls `idle` each time it could send the next message. */
  constructor(plan: Plan, index: number, latencies: Histogram, idle: () => void) {
    const { target, run, size } = plan;
    const { path, headers, before, after } = target.publish;
    const fields = [...headers, `Content-Length: ${before.length + size + after.length}`];
    const address = addressOf(plan, "publish", index);
    const head = requestHead("POST", path, address, fields) + before;
    this.#index = index;
    this.#request = Buffer.from(head + stampedPayload(run, index, size) + after, "latin1");
    this.#payloadAt = head.length;
    this.#latencies = latencies;
    this.#idle = idle;
    this.#caller = new Caller(address, {
      answered: (status, text) => this.#answered(status, text),
      broken: (reason) => this.#broken(reason),
    });
  }

  get busy(): boolean {
    return this.#busy;
  }

  open(): Promise<string | undefined> {
    return this.#caller.open();
  }

  publish(): void {
    this.#busy = true;
    this.#sentAt = micros();
    restamp(this.#request, this.#payloadAt, this.sent, this.#sentAt);
    this.sent += 1;
    this.#caller.send(this.#request);
  }

  /** Gives up on what is in flight. */
  close(): void {
    if (this.#busy) this.#miss();
    this.#busy = false;
    this.#caller.close();
  }

  #answered(status: number, text: string): void {
    if (!this.#busy) return;
    if (status < 200 || status > 299) {
      this.#failed(`a publish was answered ${status}: ${text}`);
      return;
    }
    this.#latencies.record(micros() - this.#sentAt);
    this.answered += 1;
    this.#busy = false;
    this.#idle();
  }

  #broken(reason: string): void {
    if (this.#busy) this.#failed(`a publish had no answer: ${reason}`);
  }

  #failed(trouble: string): void {
    this.trouble = trouble;
    this.#miss();
    // It stays busy for a while, so that a server that refuses everything is not flooded.
    setTimeout(() => {
      if (!this.#busy) return;
      this.#busy = false;
      this.#idle();
    }, PAUSE_AFTER_TROUBLE);
  }

  #miss(): void {
    const last = this.unanswered.at(-1);
    const from = last?.to === this.sent - 1 ? last.from : this.sent - 1;
    if (last?.to === this.sent - 1) this.unanswered.pop();
    this.unanswered.push({ publisher: this.#index, from, to: this.sent });
  }
}
