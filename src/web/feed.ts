// Stands in for the client library, in its shape: one WebSocket of this page, messages of which may come twice.

export interface Message {
  readonly id: string | null;
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
  readonly sender: string;
  readonly time: string;
  readonly via?: "tool";
}

export interface Gap {
  readonly reason: string;
  readonly after: string;
  readonly resumed: string;
}

export interface Receipt {
  readonly id: string | null;
  readonly channel: string;
  readonly time: string;
  readonly receivers: number;
}

export interface Subscription {
  readonly ready: Promise<void>;
  close(): void;
}

export interface HubState {
  readonly kind: "idle" | "connecting" | "live" | "waiting" | "closed";
  readonly error?: HubClientError;
}

export class HubClientError extends Error {
  readonly code: string;
  /** Whether trying the same again is of no use. */
  readonly final: boolean;

  constructor(code: string, sentence: string, final: boolean) {
    super(sentence);
    this.code = code;
    this.final = final;
  }
}

interface SubscribeOptions {
  readonly after?: string;
  readonly onMessage: (message: Message) => void;
  readonly onGap?: (gap: Gap) => void;
  readonly onEnd?: (error?: HubClientError) => void;
}

interface PublishOptions {
  readonly event?: string;
  readonly sender?: string;
  readonly ephemeral?: boolean;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

interface Reader extends SubscribeOptions {
  readonly channels: readonly string[];
  readonly beReady: () => void;
}

const AGAIN = 1000;

export class Hub {
  state: HubState = { kind: "idle" };
  readonly #origin: string;
  readonly #readers = new Set<Reader>();
  readonly #asked = new WeakSet<Reader>();
  readonly #listeners: ((state: HubState) => void)[] = [];
  #socket: WebSocket | undefined;
  #last: string | undefined;

  constructor(url: string) {
    this.#origin = new URL(url, import.meta.url).origin;
  }

  onState(listener: (state: HubState) => void): void {
    this.#listeners.push(listener);
  }

  subscribe(channels: readonly string[], options: SubscribeOptions): Subscription {
    const { promise: ready, resolve: beReady } = Promise.withResolvers<void>();
    const reader: Reader = { ...options, channels, beReady };
    this.#readers.add(reader);
    if (this.#socket === undefined) this.#open();
    else if (this.state.kind === "live") this.#ask(reader);
    return {
      ready,
      close: () => {
        this.#readers.delete(reader);
        const left = new Set([...this.#readers].flatMap((other) => other.channels));
        const gone = channels.filter((channel) => !left.has(channel));
        if (gone.length > 0 && this.state.kind === "live") this.#send({ type: "unsubscribe", channels: gone });
      },
    };
  }

  async publish(channel: string, data: unknown, options: PublishOptions): Promise<Receipt> {
    const { event, sender, ephemeral, key, signal } = options;
    const query = new URLSearchParams({
      ...(event !== undefined && { event }),
      ...(sender !== undefined && { sender }),
      ...(ephemeral && { ephemeral: "true" }),
    });
    const headers = { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) };
    const url = `/channels/${encodeURIComponent(channel)}/messages?${query}`;
    for (;;) {
      try {
        const post = { method: "POST", headers, body: JSON.stringify(data), ...(signal && { signal }) };
        const response = await fetch(url, post);
        const answer = (await response.json()) as Receipt & { detail: string; code: string };
        if (response.ok) return answer;
        throw new HubClientError(answer.code, answer.detail, response.status < 500);
      } catch (error) {
        signal?.throwIfAborted();
        const known = error instanceof HubClientError ? error : UNREACHABLE;
        if (known.final || ephemeral) throw known;
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  #open(): void {
    const channels = [...new Set([...this.#readers].flatMap((reader) => reader.channels))];
    // Those that came while there was none ask for themselves.
    const query = new URLSearchParams({ channel: this.#last === undefined ? "" : channels.join(",") });
    if (this.#last !== undefined) query.set("last_event_id", this.#last);
    const socket = new WebSocket(`${this.#origin.replace(/^http/, "ws")}/ws?${query}`);
    this.#socket = socket;
    this.#become({ kind: "connecting" });
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(String(data)) as Frame));
    socket.addEventListener("close", () => {
      this.#become({ kind: "waiting", error: UNREACHABLE });
      setTimeout(() => this.#open(), AGAIN);
    });
  }

  #hear(frame: Frame): void {
    if (frame.type === "welcome") {
      this.#last ??= frame["id"] as string;
      this.#become({ kind: "live" });
      for (const reader of this.#readers) this.#ask(reader);
    } else if (frame.type === "message") {
      const message = frame as unknown as Message;
      this.#last = message.id ?? this.#last;
      for (const reader of this.#readers) if (reader.channels.includes(message.channel)) reader.onMessage(message);
    } else if (frame.type === "gap") {
      for (const reader of this.#readers) reader.onGap?.(frame as unknown as Gap);
    } else if (frame.type === "live" || frame.type === "beat") this.#last = frame["id"] as string;
    else if (frame.type === "subscribed") {
      for (const reader of this.#readers) if (same(reader.channels, frame["channels"])) reader.beReady();
    }
  }

  #ask(reader: Reader): void {
    if (this.#asked.has(reader)) return;
    this.#asked.add(reader);
    const { channels, after } = reader;
    this.#send({ type: "subscribe", channels, ...(after !== undefined && { last_event_id: after }) });
  }

  #send(frame: Frame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #become(state: HubState): void {
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

const UNREACHABLE = new HubClientError("UNREACHABLE", "The server cannot be reached", false);

function same(one: readonly string[], other: unknown): boolean {
  return String(one) === String(other);
}

export function connect(url: string): Hub {
  return new Hub(url);
}
