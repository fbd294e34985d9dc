import type { Message } from "../../client/index.ts";
import type { RecentActivity } from "../../protocol/server-info.ts";

/** Messages that the page begins with. */
const MESSAGES = 500;

/** The last messages that are kept, and the cursor after them. */
interface LastMessages {
  readonly messages: readonly Message[];
  readonly next: string;
  /** Null if they are all there are. */
  readonly earlier: string | null;
}

/** What the server did lately; undefined if it does not say. */
export function loadRecent(): Promise<RecentActivity | undefined> {
  return load("recent") as Promise<RecentActivity | undefined>;
}

/** The last messages of a channel or pattern; undefined if the server does not say. */
export function loadMessages(channel: string = "*"): Promise<LastMessages | undefined> {
  return load(`channels/${encodeURIComponent(channel)}/messages?before=latest&limit=${MESSAGES}`) as Promise<
    LastMessages | undefined
  >;
}

async function load(path: string): Promise<unknown> {
  try {
    const response = await fetch(path, { cache: "no-store" });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}
