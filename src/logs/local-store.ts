import type { Counted, SharedStore } from "../core/shared-store.ts";
import { randomName } from "./random-name.ts";

interface Value {
  readonly value: string;
  /** In milliseconds of the clock. */
  readonly ends: number;
}

/** Milliseconds between two removals of what is over. */
const SWEEP = 10_000;
/** Values that are kept; beyond, of those that have a lifetime the one written longest ago goes. */
const MAX_VALUES = 100_000;

/** The shared store of a hub with one node: the memory of its process. */
export class LocalStore implements SharedStore {
  readonly node: string = randomName();
  readonly isShared: boolean = false;
  readonly #values = new Map<string, Value>();
  readonly #listeners = new Map<string, Set<(text: string) => void>>();
  readonly #sweeper: NodeJS.Timeout;
  readonly #now: () => number;

  /** `now` is in milliseconds, from any time on. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP).unref();
  }

  async get(key: string): Promise<string | undefined> {
    return this.#find(key)?.value;
  }

  async set(key: string, value: string, lifetime: number): Promise<void> {
    this.#put(key, { value, ends: this.#now() + lifetime });
  }

  async getOrSet(key: string, value: string, lifetime: number = Infinity): Promise<string> {
    const found = this.#find(key)?.value;
    if (found === undefined) await this.set(key, value, lifetime);
    return found ?? value;
  }

  async replace(key: string, before: string, value: string, lifetime: number): Promise<boolean> {
    if (this.#find(key)?.value !== before) return false;
    await this.set(key, value, lifetime);
    return true;
  }

  async take(key: string): Promise<string | undefined> {
    const found = this.#find(key)?.value;
    this.#values.delete(key);
    return found;
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }

  async increment(key: string, points: number, lifetime: number): Promise<Counted> {
    const now = this.#now();
    const found = this.#find(key);
    const ends = found?.ends ?? now + lifetime;
    const total = Number(found?.value ?? 0) + points;
    this.#put(key, { value: String(total), ends });
    return { total, resetsIn: ends - now };
  }

  async publish(topic: string, text: string, node: string = this.node): Promise<void> {
    if (node !== this.node) return;
    for (const listener of this.#listeners.get(topic) ?? []) listener(text);
  }

  subscribe(topic: string, listener: (text: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  /** Those that were written longest ago come first. */
  #put(key: string, value: Value): void {
    this.#values.delete(key);
    if (this.#values.size >= MAX_VALUES) {
      for (const [oldest, { ends }] of this.#values) {
        if (ends === Infinity) continue;
        this.#values.delete(oldest);
        break;
      }
    }
    this.#values.set(key, value);
  }

  #find(key: string): Value | undefined {
    const found = this.#values.get(key);
    if (found === undefined || found.ends > this.#now()) return found;
    this.#values.delete(key);
    return undefined;
  }

  #sweep(): void {
    const now = this.#now();
    for (const [key, { ends }] of this.#values) if (ends <= now) this.#values.delete(key);
  }
}
