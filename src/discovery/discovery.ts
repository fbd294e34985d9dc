import { setTimeout as wait } from "node:timers/promises";
import { fetchFault } from "../protocol/http-answer.ts";
import type { Registry } from "./registry.ts";

export interface DiscoveryOptions {
  /** Milliseconds between two renewals. */
  readonly interval: number;
  /** Milliseconds between the first failure and the next try; doubled after each further failure, up to `maxBackoff`. */
  readonly minBackoff: number;
  readonly maxBackoff: number;
  /** Milliseconds that a try may take, and the last request when the server stops. */
  readonly timeout: number;
  readonly deregisterTimeout: number;
  /** Told when something changes, not of each try. */
  readonly log: { info(sentence: string): void; warn(sentence: string): void };
}

/** The times of a server; tests use shorter ones. */
export const TIMES = { interval: 30_000, minBackoff: 1000, maxBackoff: 30_000, timeout: 5000, deregisterTimeout: 2000 };

/**
 * Keeps this server in a registry: registers it, renews the registration, and registers it again if the registry has
 * lost it. The server runs on whatever the registry does: a try that fails is repeated later.
 */
export class Discovery {
  /** `ok`, `registering`, `out of service`, or why the last try failed. */
  state = "registering";
  /** Tries that failed. */
  failures = 0;
  readonly #options: DiscoveryOptions;
  readonly #end = new AbortController();
  #registry: Registry | undefined;
  #loop: Promise<void> = Promise.resolve();
  #wakeUp = new AbortController();
  #isListed = false;
  /** Whether it may be: a registration whose answer got lost may have arrived. */
  #mayBeListed = false;
  #isDraining = false;
  #isOutOfService = false;
  /** Tries that failed since the last success. */
  #failuresInARow = 0;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Whether the registry lists the server as in service. */
  get isRegistered(): boolean {
    return this.#isListed && !this.#isOutOfService && this.#failuresInARow === 0;
  }

  /** Registers the server, and keeps it registered. */
  start(registry: Registry): void {
    this.#registry = registry;
    this.#loop = this.#run(registry);
  }

  /** Takes the server out of service; does not wait for the registry to answer. */
  drain(): void {
    this.#isDraining = true;
    this.#wakeUp.abort();
  }

  /** Deregisters the server; resolves in a bounded time even if the registry does not answer. */
  async close(): Promise<void> {
    this.#end.abort();
    this.#wakeUp.abort();
    await this.#loop;
    const registry = this.#registry;
    this.#registry = undefined;
    if (registry === undefined || !this.#mayBeListed) return;
    const { log, deregisterTimeout } = this.#options;
    try {
      await registry.deregister(AbortSignal.timeout(deregisterTimeout));
      if (this.#isListed) log.info(`deregistered from ${registry.name}`);
    } catch (error) {
      if (this.#isListed) log.warn(`still registered with ${registry.name}: ${(error as Error).message}`);
    }
    this.#isListed = false;
  }

  async #run(registry: Registry): Promise<void> {
    while (!this.#end.signal.aborted) {
      const delay = await this.#try(registry);
      // Servers that start together must not all ask at the same time.
      await this.#sleep(delay * (0.8 + Math.random() * 0.4));
    }
  }

  /** Resolves with how long to wait until the next try. */
  async #try(registry: Registry): Promise<number> {
    const { interval, minBackoff, maxBackoff, timeout } = this.#options;
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(timeout)]);
    try {
      const change = await Promise.race([this.#renewOrRegister(registry, signal), rejectWhenAborted(signal)]);
      const sentence = change ?? (this.#failuresInARow > 0 ? `${registry.name} answers again` : undefined);
      if (sentence !== undefined) this.#options.log.info(sentence);
      this.#failuresInARow = 0;
      this.state = this.#isOutOfService ? "out of service" : "ok";
      return interval;
    } catch (error) {
      if (this.#end.signal.aborted) return 0;
      this.failures++;
      this.state = `${registry.name}: ${fetchFault(error)}`;
      if (this.#failuresInARow++ === 0) this.#options.log.warn(`${this.state}; the server goes on and keeps trying`);
      return Math.min(minBackoff * 2 ** Math.min(this.#failuresInARow - 1, 20), maxBackoff);
    }
  }

  /** Resolves with what has changed, if anything has. */
  async #renewOrRegister(registry: Registry, signal: AbortSignal): Promise<string | undefined> {
    const wasListed = this.#isListed;
    if (this.#isDraining && !this.#isOutOfService) {
      if (this.#mayBeListed) await registry.takeOutOfService(signal);
      this.#isOutOfService = true;
      return wasListed ? `out of service at ${registry.name}` : undefined;
    }
    if (wasListed) this.#isListed = await registry.renew(signal);
    // If the registry loses a server that drains, nothing is left to do.
    if (this.#isListed || this.#isDraining) return undefined;
    this.#mayBeListed = true;
    await registry.register(signal);
    this.#isListed = true;
    return wasListed
      ? `registered again with ${registry.name}, which had forgotten`
      : `registered with ${registry.name}`;
  }

  async #sleep(milliseconds: number): Promise<void> {
    const { signal } = this.#wakeUp;
    await wait(milliseconds, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) this.#wakeUp = new AbortController();
  }
}

/** Rejects when a signal is aborted, for work that does not listen to it. */
function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
