import { setTimeout as wait } from "node:timers/promises";
import { fetchFault } from "../protocol/bounded-text.ts";
import type { Registry } from "./registry.ts";

export interface DiscoveryOptions {
  /** Milliseconds between two renewals. */
  readonly interval: number;
  /** Milliseconds after the first failure until the next try; twice as long after each one that follows. */
  readonly firstPause: number;
  readonly longestPause: number;
  /** Milliseconds that a try may take, and the last request when the server stops. */
  readonly timeout: number;
  readonly lastTimeout: number;
  /** Told when something changes, not of each try. */
  readonly log: { info(sentence: string): void; warn(sentence: string): void };
}

/** What a server does unless a test is in a hurry. */
export const PACE = { interval: 30_000, firstPause: 1000, longestPause: 30_000, timeout: 5000, lastTimeout: 2000 };

/**
 * Keeps this server in a registry: registers it, renews that, and registers it again when it was forgotten. Whatever
 * the registry does, the server goes on: a try that fails is tried again later.
 */
export class Discovery {
  /** `ok`, or what is not. */
  state = "registering";
  /** Tries that failed. */
  failures = 0;
  readonly #options: DiscoveryOptions;
  readonly #end = new AbortController();
  #registry: Registry | undefined;
  #loop: Promise<void> = Promise.resolve();
  #nudge = new AbortController();
  #isKnown = false;
  /** Whether it may be there: a registration whose answer got lost has arrived, too. */
  #isAsked = false;
  #isDraining = false;
  #isOut = false;
  /** Tries that failed since one that did not. */
  #failed = 0;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Whether the registry sends clients here. */
  get isRegistered(): boolean {
    return this.#isKnown && !this.#isOut && this.#failed === 0;
  }

  /** From now on the server is to be found. */
  start(registry: Registry): void {
    this.#registry = registry;
    this.#loop = this.#run(registry);
  }

  /** From now on no one is to be sent here; does not wait for the registry to hear of it. */
  drain(): void {
    this.#isDraining = true;
    this.#nudge.abort();
  }

  /** Takes the server out of the registry; resolves soon, also if the registry does not answer. */
  async close(): Promise<void> {
    this.#end.abort();
    this.#nudge.abort();
    await this.#loop;
    const registry = this.#registry;
    this.#registry = undefined;
    if (registry === undefined || !this.#isAsked) return;
    const { log, lastTimeout } = this.#options;
    try {
      await registry.deregister(AbortSignal.timeout(lastTimeout));
      if (this.#isKnown) log.info(`deregistered from ${registry.name}`);
    } catch (error) {
      if (this.#isKnown) log.warn(`still registered with ${registry.name}: ${(error as Error).message}`);
    }
    this.#isKnown = false;
  }

  async #run(registry: Registry): Promise<void> {
    while (!this.#end.signal.aborted) {
      const pause = await this.#try(registry);
      // Many servers that start together must not ask together.
      await this.#sleep(pause * (0.8 + Math.random() * 0.4));
    }
  }

  /** Resolves with how long to wait until the next try. */
  async #try(registry: Registry): Promise<number> {
    const { interval, firstPause, longestPause, timeout } = this.#options;
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(timeout)]);
    try {
      const news = await Promise.race([this.#keep(registry, signal), aborted(signal)]);
      const sentence = news ?? (this.#failed > 0 ? `${registry.name} answers again` : undefined);
      if (sentence !== undefined) this.#options.log.info(sentence);
      this.#failed = 0;
      this.state = this.#isOut ? "out of service" : "ok";
      return interval;
    } catch (error) {
      if (this.#end.signal.aborted) return 0;
      this.failures++;
      this.state = `${registry.name}: ${fetchFault(error)}`;
      if (this.#failed++ === 0) this.#options.log.warn(`${this.state}; the server goes on and keeps trying`);
      return Math.min(firstPause * 2 ** Math.min(this.#failed - 1, 20), longestPause);
    }
  }

  /** Resolves with what has changed, if anything has. */
  async #keep(registry: Registry, signal: AbortSignal): Promise<string | undefined> {
    const wasKnown = this.#isKnown;
    if (this.#isDraining && !this.#isOut) {
      if (this.#isAsked) await registry.takeOut(signal);
      this.#isOut = true;
      return wasKnown ? `out of service at ${registry.name}` : undefined;
    }
    if (wasKnown) this.#isKnown = await registry.renew(signal);
    // One that is forgotten while it drains is where it should be.
    if (this.#isKnown || this.#isDraining) return undefined;
    this.#isAsked = true;
    await registry.register(signal);
    this.#isKnown = true;
    return wasKnown
      ? `registered again with ${registry.name}, which had forgotten`
      : `registered with ${registry.name}`;
  }

  async #sleep(milliseconds: number): Promise<void> {
    const { signal } = this.#nudge;
    await wait(milliseconds, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) this.#nudge = new AbortController();
  }
}

/** Rejects when a signal is aborted, for what does not listen to it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
