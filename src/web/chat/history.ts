import type { Gap, Message } from "../../client/index.ts";

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

/** What the server would not do, in its own words. */
export class Refusal extends Error {
  /** Whether asking the same again is of no use. */
  readonly final: boolean;

  constructor(sentence: string, final: boolean) {
    super(sentence);
    this.final = final;
  }
}

/** The last messages before a given one, or the last of all with `latest`. Rejects with a `Refusal`. */
export function pageBefore(channel: string, before: string, limit: number, signal?: AbortSignal): Promise<Page> {
  return ask(`channels/${encodeURIComponent(channel)}/messages`, { before, limit }, signal) as Promise<Page>;
}

/** The first messages after a given one. Rejects with a `Refusal`. */
export function pageAfter(channel: string, after: string, limit: number, signal?: AbortSignal): Promise<Page> {
  return ask(`channels/${encodeURIComponent(channel)}/messages`, { after, limit }, signal) as Promise<Page>;
}

/** What channels there are, of those a pattern covers. Rejects with a `Refusal`. */
export async function channelsOf(pattern: string, limit: number): Promise<readonly Listed[]> {
  const { channels } = (await ask("channels", { pattern, limit })) as { channels: readonly Listed[] };
  return channels;
}

async function ask(path: string, query: Readonly<Record<string, string | number>>, signal?: AbortSignal) {
  const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  try {
    const response = await fetch(`${path}?${words}`, { ...(signal && { signal }) });
    if (response.ok) return (await response.json()) as unknown;
    // Something in between answers in words of its own.
    const { detail } = (await response.json().catch(() => ({}))) as { detail?: unknown };
    const { status } = response;
    const sentence = typeof detail === "string" ? detail : `The server answered ${status} ${response.statusText}`;
    throw new Refusal(sentence.trimEnd(), status < 500 && ![408, 425, 429].includes(status));
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof Refusal ? error : new Refusal("The server cannot be reached.", false);
  }
}
