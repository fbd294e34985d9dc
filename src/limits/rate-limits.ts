import { HubError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { frontingSetting, type Fronting } from "../protocol/address.ts";

/** How much one principal may do, or one address without a credential; 0 for no limit. */
export interface LimitSettings {
  /** Per second. */
  readonly limitConnects: number;
  readonly limitPublishes: number;
  readonly limitPublishBytes: number;
  readonly limitToolCalls: number;
  readonly limitHistoryPages: number;
  /** To one hook from one address. */
  readonly limitHookDeliveries: number;
  /** Per minute, of one address. */
  readonly limitFailedCredentials: number;
  /** Per hour. */
  readonly limitNewChannels: number;
  /** At once. */
  readonly limitWaitingCalls: number;
}

/** What is limited by rate. */
const RATES = {
  connects: { setting: "limitConnects", seconds: 1, noun: "connections opened" },
  publishes: { setting: "limitPublishes", seconds: 1, noun: "messages published" },
  publish_bytes: { setting: "limitPublishBytes", seconds: 1, noun: "bytes published" },
  tool_calls: { setting: "limitToolCalls", seconds: 1, noun: "tool calls" },
  history_pages: { setting: "limitHistoryPages", seconds: 1, noun: "pages of history read" },
  hook_deliveries: { setting: "limitHookDeliveries", seconds: 1, noun: "deliveries to this hook" },
  failed_credentials: { setting: "limitFailedCredentials", seconds: 60, noun: "credentials refused" },
  new_channels: { setting: "limitNewChannels", seconds: 3600, noun: "channels made" },
} as const;

export type Rate = keyof typeof RATES;
export type LimitName = Rate | "waiting_calls";

/** Rates a second hold over windows as long as this, so that a burst may use what a quiet moment left. */
const WINDOW = 10;
/** Callers whose use of one thing is counted apart; the others share one count until a window is over. */
const MAX_CALLERS = 100_000;
const OTHERS = "others";
/** Refused callers come back spread over this share of their wait. */
const JITTER = 0.2;

interface Counter {
  readonly name: Rate;
  readonly points: number;
  readonly seconds: number;
  /** What each caller uses in its window; the first that is over comes first. */
  readonly windows: Map<string, Window>;
}

interface Window {
  readonly ends: number;
  /** Points spent in it here. */
  used: number;
  /** Those that are not yet counted for all nodes. */
  unreported: number;
  /** Until when the caller is refused: milliseconds of `performance.now()`. */
  refusedUntil: number;
}

/** What was used on this node and is still to be counted for all nodes. */
interface Unreported {
  readonly counter: Counter;
  readonly key: string;
  readonly window: Window;
}

/** Milliseconds for which what is used is collected before it is counted for all nodes. */
const REPORT_AFTER = 50;

/**
 * Refuses callers that do more than their share. The answer is there at once, from what is counted here; what all nodes
 * share is counted soon after, so that no message waits for a count, and none overtakes another.
 */
export class RateLimits {
  /** Nothing is limited while it is false. */
  isOn = true;
  /** Refusals so far. */
  readonly refused: Map<LimitName, number>;
  readonly #counters: ReadonlyMap<Rate, Counter>;
  readonly #mostWaiting: number;
  readonly #waiting = new Map<string, number>();
  readonly #unreported: Unreported[] = [];
  /** Undefined if there are no other nodes. */
  readonly #shared: SharedStore | undefined;

  constructor(settings: LimitSettings, shared?: SharedStore) {
    this.#shared = shared?.isShared ? shared : undefined;
    const counters = Object.entries(RATES).map(([name, { setting, seconds: unit }]): [Rate, Counter] => {
      const seconds = unit === 1 ? WINDOW : unit;
      const points = settings[setting] * (seconds / unit);
      return [name as Rate, { name: name as Rate, points, seconds, windows: new Map() }];
    });
    this.#counters = new Map(counters.filter(([, { points }]) => points > 0));
    this.#mostWaiting = settings.limitWaitingCalls;
    this.refused = new Map([...counters.map(([name]): [LimitName, number] => [name, 0]), ["waiting_calls", 0]]);
  }

  /**
   * Lets a caller do something of some cost, or throws `RATE_LIMITED`. The last may cost more than is left; a negative
   * cost is given back, and one of 0 only asks whether more would be refused.
   */
  admit(principal: Principal | undefined, address: string, what: Rate, cost = 1): void {
    const counter = this.isOn ? this.#counters.get(what) : undefined;
    if (counter === undefined) return;
    const { windows, seconds, points } = counter;
    const now = performance.now();
    const key = this.#keyOf(counter, callerKey(principal, address), now);
    let window = windows.get(key);
    if (window !== undefined && window.ends <= now) {
      windows.delete(key);
      window = undefined;
    }
    if (window !== undefined && window.refusedUntil > now && cost >= 0)
      throw this.#refusal(counter, (window.refusedUntil - now) / 1000);
    if (cost === 0) return;
    if (window === undefined)
      windows.set(key, (window = { ends: now + seconds * 1000, used: 0, unreported: 0, refusedUntil: 0 }));
    window.used += cost;
    window.refusedUntil = window.used < points ? 0 : window.ends;
    if (this.#shared === undefined) return;
    if (window.unreported === 0) this.#reportLater({ counter, key, window });
    window.unreported += cost;
  }

  /** Counts a call that waits until the function returned is called. Throws `RATE_LIMITED` if there are too many. */
  hold(principal: Principal | undefined, address: string): () => void {
    if (!this.isOn || this.#mostWaiting === 0) return () => {};
    const key = callerKey(principal, address);
    const count = this.#waiting.get(key) ?? 0;
    if (count >= this.#mostWaiting) {
      this.#count("waiting_calls");
      const sentence = `${count} calls of this credential or address wait, the limit; wait for one of them`;
      const policy = `"waiting_calls";q=${this.#mostWaiting};qu="concurrent-requests"`;
      throw new HubError("RATE_LIMITED", sentence, { rateLimit: { policy, state: '"waiting_calls";r=0' } });
    }
    this.#waiting.set(key, count + 1);
    return () => {
      const left = (this.#waiting.get(key) ?? 1) - 1;
      if (left > 0) this.#waiting.set(key, left);
      else this.#waiting.delete(key);
    };
  }

  /** Counts for all nodes what a caller uses from now on, all at once: a call must not pay for a count of its own. */
  #reportLater(unreported: Unreported): void {
    if (this.#unreported.length === 0) setTimeout(() => this.#report(), REPORT_AFTER).unref();
    this.#unreported.push(unreported);
  }

  #report(): void {
    for (const unreported of this.#unreported.splice(0)) {
      const cost = unreported.window.unreported;
      unreported.window.unreported = 0;
      if (cost !== 0) void this.#spend(unreported, cost);
    }
  }

  async #spend({ counter: { name, points, seconds }, key, window }: Unreported, cost: number): Promise<void> {
    try {
      const counted = await this.#shared?.increment(`rate:${name}:${key}`, cost, seconds * 1000);
      if (counted === undefined || counted.total < points) return;
      window.refusedUntil = Math.max(window.refusedUntil, performance.now() + counted.resetsIn);
    } catch {
      // A store that cannot be reached stops no one.
    }
  }

  /** A caller is counted apart if there is room for it: memory stays bounded, and no other count is dropped for it. */
  #keyOf({ windows }: Counter, key: string, now: number): string {
    if (windows.size < MAX_CALLERS || windows.has(key)) return key;
    for (const [oldest, { ends }] of windows) {
      if (ends > now) break;
      windows.delete(oldest);
    }
    return windows.size < MAX_CALLERS ? key : OTHERS;
  }

  #refusal({ name, points, seconds }: Counter, wait: number): HubError {
    this.#count(name);
    const retryAfter = Math.ceil(wait * (1 + JITTER * Math.random()));
    const per = seconds === 3600 ? "an hour" : `${seconds} seconds`;
    const sentence = `${points} ${RATES[name].noun} in ${per} is the limit of this credential or address; go on in ${retryAfter} s`;
    const unit = name === "publish_bytes" ? ';qu="content-bytes"' : "";
    const policy = `"${name}";q=${points}${unit};w=${seconds}`;
    return new HubError("RATE_LIMITED", sentence, {
      retryAfter,
      rateLimit: { policy, state: `"${name}";r=0;t=${Math.ceil(wait)}` },
    });
  }

  #count(name: LimitName): void {
    this.refused.set(name, (this.refused.get(name) ?? 0) + 1);
  }
}

/** Whether a configuration has its callers limited: not for development that others do not reach, unless it says so. */
export function isLimited(
  config: Fronting & { readonly rateLimits: string; readonly env: string },
  isLoopback: boolean,
): boolean {
  const { rateLimits, env } = config;
  if (rateLimits !== "") return rateLimits === "on";
  return !isLoopback || env === "production" || frontingSetting(config) !== undefined;
}

/** What is counted as one caller: a credential, or an address without one. */
export function callerKey(principal: Principal | undefined, address: string): string {
  return principal === undefined || principal.kind === "anonymous" ? address : principal.id;
}
