import type { ChannelName } from "../protocol/channel.ts";
import { purge, readMessage, readRecent, type RecentHistory, type RecentHistoryQuery } from "./history.ts";
import type { Log } from "./log.ts";
import type { Message } from "./message.ts";
import { searchLog, type Found, type SearchRequest } from "./search.ts";

/** Reads, searches and purges the messages that are kept, up to the last one delivered. */
export class KeptMessages {
  readonly #log: Log;
  readonly #delivered: () => number;

  /** `delivered` is the offset of the last message delivered. */
  constructor(log: Log, delivered: () => number) {
    this.#log = log;
    this.#delivered = delivered;
  }

  /** The last messages of some channels, or the last before a cursor. */
  recent(query: RecentHistoryQuery): Promise<RecentHistory> {
    return readRecent(this.#log, this.#delivered(), query);
  }

  /** Removes the messages of a channel, or those before a cursor, for good; resolves with how many there were. */
  purge(channel: ChannelName, before?: string): Promise<number> {
    return purge(this.#log, this.#delivered(), channel, before);
  }

  /** The message of a channel that has this id; undefined if it is not kept there. */
  message(channel: ChannelName, id: string): Promise<Message | undefined> {
    return readMessage(this.#log, this.#delivered(), channel, id);
  }

  /** The messages of some channels that have all the words of a query, the newest first. */
  search(request: SearchRequest): Promise<Found> {
    return searchLog(this.#log, this.#delivered(), request);
  }
}
