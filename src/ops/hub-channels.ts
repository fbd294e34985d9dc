import type { BridgeStatus } from "../protocol/bridge-status.ts";
import {
  AUDIT_CHANNEL,
  BRIDGES_CHANNEL,
  HOOKS_CHANNEL,
  LOGS_CHANNEL,
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

/** Publishes what the server does on its own channels, while someone reads them; the log keeps nothing of it. */
export class HubChannels {
  /** What was published, or would have been if someone had read it. */
  readonly recent: Recent = new Recent();
  readonly #hub: Hub;
  readonly #node: string;
  /** Set if there are bridges. */
  bridges: { readonly status: () => readonly BridgeStatus[] } | undefined;
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
