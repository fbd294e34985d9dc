import type { Principal } from "../core/principal.ts";

/** Why a stream is ended: its credential expired or was revoked, or it has been open as long as one may be. */
export type EndReason = "expired" | "revoked" | "aged";

/** Something open in the name of a principal. */
export interface Held {
  /** Its credential expires within about a minute, at `expires` in milliseconds since 1970. */
  expiring?(expires: number): void;
  /** Nothing more may go to it. */
  end(reason: EndReason): void;
}

interface Hold {
  readonly principal: Principal;
  readonly held: Held;
  /** When it is ended, in milliseconds since 1970. */
  readonly ends: number;
  readonly reason: EndReason;
  /** The second of `#bySecond` that it is in. */
  second: number;
  isWarned: boolean;
}

/** Streams end before their time, spread over this share of what is left of it, so that not all come back at once. */
const SPREAD = 0.1;
const MAX_SPREAD = 30_000;
/** Milliseconds before its end at which a stream is warned. */
const WARNING = 60_000;
const SECOND = 1000;

/** What is open by whose credential, so that it ends with it. One timer serves all. */
export class Lifetimes {
  readonly #bySecond = new Map<number, Set<Hold>>();
  readonly #byPrincipal = new Map<string, Set<Hold>>();
  readonly #maxAge: number;
  readonly #now: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Whether the credential of a principal is gone: it may go between a request and what the request opens. */
  isGone: (principal: Principal) => boolean = () => false;

  /** `maxAge` is the longest that anything stays open, in milliseconds; 0 for no bound. `now` is in milliseconds since 1970. */
  constructor(maxAge = 0, now: () => number = Date.now) {
    this.#maxAge = maxAge;
    this.#now = now;
    this.#timer = setInterval(() => this.tick(), SECOND).unref();
  }

  /** Ends something open when its credential does; the function returned lets it go. */
  hold(principal: Principal, held: Held): () => void {
    const now = this.#now();
    const { expires = Infinity } = principal;
    const aged = this.#maxAge === 0 ? Infinity : now + this.#maxAge;
    const last = Math.min(expires, aged);
    if (last === Infinity && principal.kind === "anonymous") return () => {};
    const ends = last === Infinity ? last : last - Math.min((last - now) * SPREAD, MAX_SPREAD) * Math.random();
    const reason = expires <= aged ? "expired" : "aged";
    const isWarned = held.expiring === undefined || reason === "aged";
    const hold: Hold = { principal, held, ends, reason, second: Infinity, isWarned };
    add(this.#byPrincipal, principal.id, hold);
    this.#schedule(hold);
    if (this.isGone(principal)) queueMicrotask(() => this.revoke(principal.id, this.isGone));
    return () => this.#release(hold);
  }

  /** Ends at once what is open in the name of a principal, as far as `isGone` says that its credential is gone. */
  revoke(id: string, isGone: (principal: Principal) => boolean = () => true): void {
    for (const hold of this.#byPrincipal.get(id) ?? []) {
      if (!isGone(hold.principal)) continue;
      this.#release(hold);
      hold.held.end("revoked");
    }
  }

  /** Ends what has come to its end, and warns what is about to. Called once a second. */
  tick(): void {
    const now = this.#now();
    for (const [second, holds] of this.#bySecond) {
      if (second * SECOND > now) continue;
      for (const hold of holds) this.#due(hold, now);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #due(hold: Hold, now: number): void {
    this.#release(hold);
    if (hold.ends - now < SECOND) return hold.held.end(hold.reason);
    hold.isWarned = true;
    add(this.#byPrincipal, hold.principal.id, hold);
    this.#schedule(hold);
    hold.held.expiring?.(hold.principal.expires ?? hold.ends);
  }

  /** Never after its end: a second begins before it is over. */
  #schedule(hold: Hold): void {
    if (hold.ends === Infinity) return;
    hold.second = Math.floor((hold.isWarned ? hold.ends : hold.ends - WARNING) / SECOND);
    add(this.#bySecond, hold.second, hold);
  }

  #release(hold: Hold): void {
    remove(this.#byPrincipal, hold.principal.id, hold);
    remove(this.#bySecond, hold.second, hold);
  }
}

function add<Key>(map: Map<Key, Set<Hold>>, key: Key, hold: Hold): void {
  const holds = map.get(key);
  if (holds === undefined) map.set(key, new Set([hold]));
  else holds.add(hold);
}

function remove<Key>(map: Map<Key, Set<Hold>>, key: Key, hold: Hold): void {
  const holds = map.get(key);
  if (holds?.delete(hold) === true && holds.size === 0) map.delete(key);
}
