import type { Gap, Message } from "../../client/index.ts";
import { askServer } from "../shared/ask-server.ts";

export interface Page {
  readonly messages: readonly Message[];
  readonly next: string;
  readonly more: boolean;
  readonly gap: Gap | null;
  readonly earlier?: string | null;
}

export interface Listed {
  readonly channel: string;
  readonly readers: number;
  readonly messages: number;
}

/** The last messages before a given one, or the last of all with `latest`. Rejects with a `Refusal`. */
export function pageBefore(channel: string, before: string, limit: number, signal?: AbortSignal): Promise<Page> {
  return ask(`channels/${encodeURIComponent(channel)}/messages`, { before, limit }, signal) as Promise<Page>;
}

/** The first messages after a given one. Rejects with a `Refusal`. */
export function pageAfter(channel: string, after: string, limit: number, signal?: AbortSignal): Promise<Page> {
  return ask(`channels/${encodeURIComponent(channel)}/messages`, { after, limit }, signal) as Promise<Page>;
}

/** One message. Rejects with a `Refusal`, which is final if it is not kept, or not on this channel. */
export function messageOf(channel: string, id: string, signal?: AbortSignal): Promise<Message> {
  return ask(
    `channels/${encodeURIComponent(channel)}/messages/${encodeURIComponent(id)}`,
    {},
    signal,
  ) as Promise<Message>;
}

/** Messages that have some words, the newest first: of one channel, or of all. Rejects with a `Refusal`. */
export function search(
  words: string,
  {
    channel,
    before,
    limit,
  }: { readonly channel: string | undefined; readonly before: string | undefined; readonly limit: number },
  signal: AbortSignal,
): Promise<Page> {
  const path = channel === undefined ? "messages" : `channels/${encodeURIComponent(channel)}/messages`;
  return ask(path, { q: words, limit, ...(before !== undefined && { before }) }, signal) as Promise<Page>;
}

/** What channels there are, of those a pattern covers. Rejects with a `Refusal`. */
export async function channelsOf(pattern: string, limit: number): Promise<readonly Listed[]> {
  const { channels } = (await ask("channels", { pattern, limit })) as { channels: readonly Listed[] };
  return channels;
}

function ask(path: string, query: Readonly<Record<string, string | number>>, signal?: AbortSignal): Promise<unknown> {
  const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return askServer(`${path}?${words}`, signal === undefined ? {} : { signal });
}
