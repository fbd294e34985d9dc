import { HubError } from "../../src/core/errors.ts";
import type { Draft } from "../../src/core/message.ts";
import type { Records } from "../../src/core/records.ts";
import { Schedule, type ScheduleOptions } from "../../src/core/schedule.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { MemoryRecords } from "../../src/logs/memory-records.ts";
import { SharedNode } from "./shared-node.ts";
import { until } from "./until.ts";

/** What is kept, and what several nodes share: schedules of one hub, with a clock that a test sets. */
export class ScheduleRig implements AsyncDisposable {
  readonly records: MemoryRecords = new MemoryRecords();
  readonly store: LocalStore = new LocalStore();
  /** What was published, in order; a second time with a key is not. */
  readonly log: Draft[] = [];
  /** Calls to publish, also those that published nothing new. */
  appends = 0;
  /** Whether records and log cannot be reached. */
  isAway = false;
  /** Why the log refuses a message; undefined if it takes it. */
  refuses: (draft: Draft) => HubError | undefined = () => undefined;
  now: number = Date.parse("2026-11-30T08:00:00Z");
  readonly #opened: Schedule[] = [];

  /** One more node, or the same after a restart. */
  open(name = "a", options: Partial<ScheduleOptions> = {}): { readonly schedule: Schedule; readonly node: SharedNode } {
    const node = new SharedNode(this.store, name);
    const schedule = new Schedule({
      records: this.#reachable(),
      shared: node,
      publish: (draft) => this.publish(draft),
      now: () => this.now,
      ...options,
    });
    this.#opened.push(schedule);
    return { schedule, node };
  }

  async publish(draft: Draft): Promise<void> {
    this.appends++;
    await Promise.resolve();
    this.#check();
    const refused = this.refuses(draft);
    if (refused !== undefined) throw refused;
    if (!this.log.some(({ channel, key }) => channel === draft.channel && key === draft.key)) this.log.push(draft);
  }

  /** What was published, by its data. */
  data(): unknown[] {
    return this.log.map(({ data }) => JSON.parse(data) as unknown);
  }

  /** Goes to a time later, and waits until so many messages were published in all. */
  async after(milliseconds: number, count: number): Promise<void> {
    this.now += milliseconds;
    for (const schedule of this.#opened) schedule.wake();
    await until(`${count} messages`, () => {
      for (const schedule of this.#opened) schedule.wake();
      return this.log.length >= count;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isAway = false;
    await Promise.all(this.#opened.map((schedule) => schedule.close()));
    this.store.close();
  }

  #check(): void {
    if (this.isAway) throw new HubError("LOG_UNAVAILABLE", "The log cannot be reached");
  }

  #reachable(): Records {
    const { records } = this;
    const reach = async <T>(use: () => Promise<T>): Promise<T> => {
      this.#check();
      return use();
    };
    return {
      get: (kind, name) => reach(() => records.get(kind, name)),
      set: (kind, name, value) => reach(() => records.set(kind, name, value)),
      replace: (kind, name, before, value) => reach(() => records.replace(kind, name, before, value)),
      delete: (kind, name) => reach(() => records.delete(kind, name)),
      list: (kind) => reach(() => records.list(kind)),
    };
  }
}
