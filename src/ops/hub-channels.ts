import { visibleTo } from "../core/attendance.ts";
import type { Participants } from "../core/participants.ts";
import { ANYONE } from "../core/principal.ts";
import type { BridgeStatus } from "../protocol/bridge-status.ts";
import {
  AUDIT_CHANNEL,
  BRIDGES_CHANNEL,
  HOOKS_CHANNEL,
  LOGS_CHANNEL,
  PRESENCE_CHANNEL,
  STATS_CHANNEL,
  type ChannelName,
} from "../protocol/channel.ts";
import type { Hub } from "../core/hub.ts";
import type { Figures, ServerInfo } from "../protocol/server-info.ts";
import type { LogLine } from "./logger.ts";
import { Recent } from "./recent.ts";

/** Milliseconds: a little more than what is computed at most once a second is fresh for. */
const INTERVAL = 1020;
/** Characters of a line that are published. */
const MAX_LINE = 2000;
/** Participants in one list. */
const MAX_PARTICIPANTS = 200;
/** Intervals after which the list is published although it has not changed: for readers that took the places of others. */
const PRESENCE_AGAIN = 5;

/** Publishes what the server does on its own channels, while someone reads them; the log keeps nothing of it. */
export class HubChannels {
  /** What was published, or would have been if someone had read it. */
  readonly recent: Recent = new Recent();
  readonly #hub: Hub;
  readonly #node: string;
  /** Set if there are bridges. */
  bridges: { readonly status: () => readonly BridgeStatus[] } | undefined;
  /** The participants of all nodes; set when they are known. */
  participants: Participants | undefined;
  /** The list that was published last as JSON, to how many readers, and how many intervals ago. */
  readonly #present = { list: "", readers: 0, age: 0 };
  readonly #timer: ReturnType<typeof setInterval>;
  #last: Promise<unknown> = Promise.resolve();

  /** `node` is the name of this node, of which alone they tell. */
  constructor(hub: Hub, node: string, info: () => ServerInfo) {
    this.#hub = hub;
    this.#node = node;
    this.#timer = setInterval(() => {
      this.recent.figures(figuresOf(info()));
      this.#publish(STATS_CHANNEL, "stats", info);
      const { bridges } = this;
      if (bridges !== undefined) {
        this.#publish(BRIDGES_CHANNEL, "bridges", () => ({ ...this.#origin(), bridges: bridges.status() }));
      }
      if (this.participants !== undefined) this.#presence(this.participants);
    }, INTERVAL).unref();
  }

  /** Publishes a line that is being logged. */
  log({ level, msg }: LogLine): void {
    const line = { ...this.#origin(), level, msg: msg.slice(0, MAX_LINE) };
    this.recent.line(line);
    this.#publish(LOGS_CHANNEL, "log", () => line);
  }

  /** Publishes what was done to credentials. */
  audit(event: object): void {
    this.#publish(AUDIT_CHANNEL, "audit", () => ({ ...this.#origin(), ...event }));
  }

  /** Publishes what became of a webhook. */
  delivery(record: object): void {
    this.#publish(HOOKS_CHANNEL, "delivery", () => ({ node: this.#node, ...record }));
  }

  /** Resolves once readers have been offered what was published. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
  }

  /** Publishes who is here, if that has changed or someone new reads it. */
  #presence({ all, isCut }: Participants): void {
    const last = this.#present;
    const readers = this.#hub.index.readers(PRESENCE_CHANNEL, true);
    const isNew = readers > last.readers;
    last.readers = readers;
    if (readers === 0) return;
    const { more, ...listed } = visibleTo(ANYONE, all, { limit: MAX_PARTICIPANTS });
    const list = JSON.stringify(listed);
    if (!isNew && list === last.list && ++last.age < PRESENCE_AGAIN) return;
    last.list = list;
    last.age = 0;
    this.#publish(PRESENCE_CHANNEL, "presence", () => ({ ...this.#origin(), ...listed, more: more || isCut }));
  }

  #origin(): { readonly time: string; readonly node: string } {
    return { time: new Date().toISOString(), node: this.#node };
  }

  #publish(channel: ChannelName, event: string, data: () => unknown): void {
    if (this.#hub.index.readers(channel, true) === 0) return;
    const draft = { channel, event, data: JSON.stringify(data()), sender: "hub", ephemeral: true };
    this.#last = this.#hub.publish(draft).catch(() => {
      // The log is closed or in trouble; /health says so.
    });
  }
}

function figuresOf({ messages, delivery, connections, cpu, memory, eventLoop }: ServerInfo): Figures {
  const { publishedPerSecond, deliveredPerSecond } = messages;
  const { total: _, ...byTransport } = connections;
  return {
    time: new Date().toISOString(),
    messages: { publishedPerSecond, deliveredPerSecond },
    delivery,
    connections: byTransport,
    cpu: { percent: cpu.percent },
    memory,
    eventLoop,
  };
}
