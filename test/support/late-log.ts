import type { ChannelName } from "../../src/protocol/channel.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type {
  Appended,
  ChannelQuery,
  ChannelState,
  Log,
  LogPage,
  LogQuery,
  LogSize,
  RecentPage,
  RecentQuery,
} from "../../src/core/log.ts";
import type { HubError } from "../../src/core/errors.ts";
import type { Draft, Message } from "../../src/core/message.ts";
import type { Truth } from "./reader-model.ts";
import type { Schedule } from "./schedule.ts";

/**
 * A log that answers late and out of step, as one across a network may. Its steps on a schedule: `read` before it looks,
 * `page` before it hands over what it saw, `announce` before the follower hears of a turn's messages, `appended`
 * before a publisher does, `followed` before `follow` resolves. Announcements stay in order, whichever is let go.
 */
export class LateLog implements Log {
  readonly #log: Log;
  readonly #schedule: Schedule;
  readonly #unannounced = new Map<number | undefined, PromiseWithResolvers<void>>();
  readonly #batches: (readonly Message[])[] = [];
  /** Every message that the log kept, in its order, announced or not. */
  readonly kept: Message[] = [];
  readonly #ephemeral = new Map<unknown, Message>();

  constructor(log: Log, schedule: Schedule) {
    this.#log = log;
    this.#schedule = schedule;
  }

  get epoch(): string {
    return this.#log.epoch;
  }

  epochAt(offset: number): string {
    return this.#log.epochAt(offset);
  }

  /** What really happened, for a log that was empty. */
  get truth(): Truth {
    const { kept, epoch } = this;
    return { kept, epoch, ephemeral: this.#ephemeral, droppedTo: () => kept.length - this.#log.size().messages };
  }

  async append(draft: Draft): Promise<Appended> {
    const { message, repeated } = await this.#log.append(draft);
    if (!repeated) await this.#unannounced.get(draft.publication)?.promise;
    await this.#schedule.reached("appended");
    // What comes over a network is never the object that was sent.
    return { message: { ...message }, repeated };
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return Promise.all(drafts.map((draft) => this.append(draft).catch((error: HubError) => error)));
  }

  async read(query: LogQuery): Promise<LogPage> {
    await this.#schedule.reached("read");
    const page = await this.#log.read(query);
    await this.#schedule.reached("page");
    return page;
  }

  purge(channel: ChannelName, upTo: number): Promise<number> {
    return this.#log.purge(channel, upTo);
  }

  async recent(query: RecentQuery): Promise<RecentPage> {
    await this.#schedule.reached("read");
    const page = await this.#log.recent(query);
    await this.#schedule.reached("page");
    return page;
  }

  async follow(listener: (messages: readonly Message[]) => void): Promise<number> {
    const start = await this.#log.follow((messages) => {
      this.#batches.push(messages);
      for (const message of messages) {
        this.#unannounced.set(message.publication, Promise.withResolvers());
        if (message.ephemeral) this.#ephemeral.set(JSON.parse(message.data), message);
        else this.kept.push(message);
      }
      this.#schedule.call("announce", () => {
        const batch = this.#batches.shift() ?? [];
        listener(batch.map((message) => ({ ...message })));
        for (const { publication } of batch) {
          this.#unannounced.get(publication)?.resolve();
          this.#unannounced.delete(publication);
        }
      });
    });
    await this.#schedule.reached("followed");
    return start;
  }

  knows(cursor: Cursor): boolean {
    return this.#log.knows(cursor);
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#log.channels(query);
  }

  size(): LogSize {
    return this.#log.size();
  }

  check(): Promise<void> {
    return this.#log.check();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
