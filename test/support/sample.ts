import { channelName, channelPattern } from "../../src/core/channel.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import { Hub, type HubOptions } from "../../src/core/hub.ts";
import type { Log, Retention } from "../../src/core/log.ts";
import { draft, type Draft, type DraftInput } from "../../src/core/message.ts";

/** What `draft` does not set: the server does. */
type Origin = "traceparent" | "path" | "quiet";

/** Keeps everything. */
export const FOREVER: Retention = { age: Infinity, messages: Infinity, bytes: Infinity, channels: Infinity };

export function draftOf(
  channel: string,
  data: unknown,
  { traceparent, path, quiet, ...more }: Omit<DraftInput, "channel" | "data"> & Pick<Draft, Origin> = {},
): Draft {
  const made = draft({ channel: channelName(channel), data, ...more }, 1024 * 1024);
  const origin = Object.entries({ traceparent, path, quiet }).filter(([, value]) => value !== undefined);
  return { ...made, ...Object.fromEntries(origin) };
}

export function patternsOf(...texts: string[]): ChannelPattern[] {
  return texts.map(channelPattern);
}

/** A hub with small pages, whose turns end as a server's do. */
export async function openHub(log: Log, options: Partial<HubOptions> = {}): Promise<Hub & AsyncDisposable> {
  return disposable(
    await Hub.open(log, {
      maxPending: 1024 * 1024,
      maxPendingTotal: 256 * 1024 * 1024,
      page: 3,
      endOfTurn: setImmediate,
      writesPerMessage: 100,
      ...options,
    }),
  );
}

/** Closes something when a test ends. */
export function disposable<T extends { close(): Promise<void> }>(thing: T): T & AsyncDisposable {
  return Object.assign(thing, { [Symbol.asyncDispose]: () => thing.close() });
}
