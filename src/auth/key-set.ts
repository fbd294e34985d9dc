import { createLocalJWKSet, errors, type CryptoKey, type JSONWebKeySet, type JWTHeaderParameters } from "jose";
import { HubError } from "../core/errors.ts";
import type { Audit } from "./audit.ts";

/** Milliseconds after which keys are fetched again, while the ones there are stay in use. */
const FRESH = 600_000;
/** Milliseconds after which keys that could not be fetched again are no longer trusted. */
const TRUSTED = 86_400_000;
/** Milliseconds between two searches for a key that is not among those known. */
const SEARCH_INTERVAL = 30_000;
/** Milliseconds after the first failure until the next try; twice as long after each one that follows. */
const FIRST_PAUSE = 1000;
const MAX_PAUSE = 30_000;
/** Milliseconds that all the requests for one set of keys may take. */
const TIMEOUT = 5000;
/** Keys of a set that a token without the id of a key is tried with. */
const MAX_CANDIDATES = 10;

export interface KeySetOptions {
  /** Whose keys they are. */
  readonly issuer: string;
  readonly load: (signal: AbortSignal) => Promise<JSONWebKeySet>;
  /** Told when the keys can no longer be fetched, and when they can again. */
  readonly audit: Audit;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * The public keys of one issuer. The last that were fetched stay in use through an outage of the issuer, and however
 * many tokens name unknown keys, the issuer is asked at most once in a while.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  #known: { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetched: number } | undefined;
  #loading: Promise<void> | undefined;
  #failures = 0;
  #nextTry = 0;
  #nextSearch = 0;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /**
   * The keys that may have signed a token with this header; none if the issuer has no such key. Rejects with
   * `AUTH_UNAVAILABLE` if that cannot be found out now.
   */
  async candidates(header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
    const age = this.#options.now() - (this.#known?.fetched ?? -Infinity);
    if (age > TRUSTED) await this.#refresh();
    else if (age > FRESH || this.#failures > 0) this.prefetch();
    const found = await this.#find(header);
    if (found.length > 0) return found;
    const isTime = this.#options.now() >= this.#nextSearch;
    if (isTime) this.#nextSearch = this.#options.now() + SEARCH_INTERVAL;
    if (isTime || this.#loading !== undefined) {
      await this.#refresh();
      return this.#find(header);
    }
    if (this.#failures > 0) throw this.#unavailable();
    return [];
  }

  /** Fetches the keys, unless the last try failed a moment ago, without having anyone wait for them. */
  prefetch(): void {
    this.#refresh().catch(() => {
      // Whoever needs a key is told so.
    });
  }

  async #find(header: JWTHeaderParameters): Promise<CryptoKey[]> {
    try {
      const key = await this.#known?.find(header);
      return key === undefined ? [] : [key];
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return [];
      const keys: CryptoKey[] = [];
      for await (const key of error) if (keys.push(key) === MAX_CANDIDATES) break;
      return keys;
    }
  }

  /** Those who come while it is being done wait for the same answer. */
  #refresh(): Promise<void> {
    if (this.#loading !== undefined) return this.#loading;
    if (this.#options.now() < this.#nextTry) return Promise.reject(this.#unavailable());
    this.#loading = this.#fetch().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #fetch(): Promise<void> {
    const { issuer, load, now, audit } = this.#options;
    try {
      const set = await load(AbortSignal.timeout(TIMEOUT));
      this.#known = { find: createLocalJWKSet(set), fetched: now() };
      if (this.#failures > 0) audit({ level: "info", action: "issuer_available", subject: issuer });
      this.#failures = 0;
      this.#nextTry = 0;
    } catch (cause) {
      if (this.#failures++ === 0) {
        const reason = `its keys cannot be fetched: ${(cause as Error).message}`;
        audit({ level: "warn", action: "issuer_unavailable", subject: issuer, reason });
      }
      const pause = Math.min(FIRST_PAUSE * 2 ** (this.#failures - 1), MAX_PAUSE);
      this.#nextTry = now() + pause;
      throw this.#unavailable(cause);
    }
  }

  #unavailable(cause?: unknown): HubError {
    const retryAfter = Math.max(1, Math.ceil((this.#nextTry - this.#options.now()) / 1000));
    const sentence =
      "The credential cannot be checked right now, since its issuer does not answer; send it again later";
    return new HubError("AUTH_UNAVAILABLE", sentence, { retryAfter, cause });
  }
}
