import { type ChannelName, type ChannelPattern, covers } from "../protocol/channel.ts";
import type { Format } from "../core/message.ts";
import type { CloseReason, Sink } from "../core/sink.ts";
import type { Signal } from "../protocol/signal.ts";

/** Milliseconds between two notifications to a listener. */
const QUIET = 100;

/** Receives the names of what has changed. */
export interface ChangeListener {
  /** Bytes written that the socket has not accepted. */
  readonly pending: number;
  /** Whether its socket is full; it is notified again after that is `drained`. */
  readonly isLagging: boolean;
  /** Called with the names that have changed, of those that `ChangeNotifier` watches. */
  changed(names: readonly string[]): void;
  keepAlive(): void;
  drained(): Promise<void>;
  ended(reason: CloseReason): void;
}

/**
 * Coalesces messages into change notifications: the first at once, then at most one every `QUIET` milliseconds, and
 * only after the previous one has drained. So a listener that stalls costs only a set of names.
 */
export class ChangeNotifier implements Sink {
  readonly format: Format = NAMES;
  readonly #listener: ChangeListener;
  readonly #watched = new Map<string, readonly ChannelPattern[]>();
  readonly #exact = new Map<string, Set<string>>();
  readonly #patterns = new Map<ChannelPattern, Set<string>>();
  readonly #changed = new Set<string>();
  readonly #unfollow = new Map<string, () => void>();
  #resting = false;
  #over = false;

  constructor(listener: ChangeListener) {
    this.#listener = listener;
  }

  /** The names that are watched. */
  get names(): ReadonlySet<string> {
    return new Set(this.#watched.keys());
  }

  /** The channels to subscribe to. */
  get channels(): readonly ChannelPattern[] {
    return [...(this.#exact.keys() as Iterable<ChannelPattern>), ...this.#patterns.keys()];
  }

  /** Notifies of a name when messages are published on these channels, and when `follow` calls back. */
  watch(name: string, channels: readonly ChannelPattern[], follow?: (changed: () => void) => () => void): void {
    this.unwatch(name);
    this.#watched.set(name, channels);
    if (follow !== undefined)
      this.#unfollow.set(
        name,
        follow(() => this.touch(name)),
      );
    for (const channel of channels) {
      const index = this.#indexOf(channel);
      const names = index.get(channel);
      if (names === undefined) index.set(channel, new Set([name]));
      else names.add(name);
    }
  }

  /** Stops watching a name. Returns the channels that no other name needs. */
  unwatch(name: string): readonly ChannelPattern[] {
    const channels = this.#watched.get(name) ?? [];
    this.#watched.delete(name);
    this.#changed.delete(name);
    this.#unfollow.get(name)?.();
    this.#unfollow.delete(name);
    return channels.filter((channel) => {
      const index = this.#indexOf(channel);
      index.get(channel)?.delete(name);
      return index.get(channel)?.size === 0 && index.delete(channel);
    });
  }

  /** Watches nothing any more. */
  unwatchAll(): void {
    for (const name of this.#watched.keys()) this.unwatch(name);
  }

  /** Notifies of a name that changed without a message. */
  touch(name: string): void {
    this.#changed.add(name);
    if (!this.#resting) this.#tell();
  }

  get pending(): number {
    return this.#listener.pending;
  }

  write(bytes: Uint8Array): boolean {
    for (const channel of namesIn(bytes)) {
      for (const name of this.#exact.get(channel) ?? []) this.#changed.add(name);
      for (const [pattern, names] of this.#patterns) {
        if (covers(pattern, channel as ChannelName)) for (const name of names) this.#changed.add(name);
      }
    }
    if (!this.#resting) this.#tell();
    return !this.#listener.isLagging;
  }

  signal({ kind }: Signal): void {
    if (kind === "gap") {
      // Anything may have been among the messages that are missing.
      for (const name of this.#watched.keys()) this.#changed.add(name);
      if (!this.#resting) this.#tell();
    } else if (!this.#listener.isLagging) this.#listener.keepAlive();
  }

  drained(): Promise<void> {
    return this.#listener.drained();
  }

  close(reason: CloseReason): void {
    this.#over = true;
    this.#listener.ended(reason);
  }

  #indexOf(channel: ChannelPattern): Map<string, Set<string>> {
    return channel.endsWith("*") ? this.#patterns : this.#exact;
  }

  #tell(): void {
    if (this.#over || this.#changed.size === 0) return;
    this.#resting = true;
    if (this.#listener.isLagging) {
      void this.#listener.drained().then(this.#wake);
      return;
    }
    const names = [...this.#changed];
    this.#changed.clear();
    this.#listener.changed(names);
    setTimeout(this.#wake, QUIET);
  }

  readonly #wake = (): void => {
    this.#resting = false;
    this.#tell();
  };
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Encodes messages as the names of their channels, each once. */
const NAMES: Format = {
  silent: true,
  // Resources show only messages that are kept.
  encode: ({ channel, ephemeral }) => utf8.encode(ephemeral ? "" : `${channel}\n`),
  join: (parts) => utf8.encode([...new Set(parts.map((part) => text.decode(part)))].join("")),
};

let lastBytes: Uint8Array | undefined;
let lastNames: readonly string[] = [];

/** The last result is reused, since listeners of the same channels get the same bytes one after the other. */
function namesIn(bytes: Uint8Array): readonly string[] {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastNames = text.decode(bytes).split("\n").slice(0, -1);
  }
  return lastNames;
}
