import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { HubError } from "../core/errors.ts";
import { ANYONE, checkSubscribe, type Principal } from "../core/principal.ts";
import { EVERYTHING, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { RequestVerifier } from "./authenticator.ts";
import { invalidCredential, twoCredentials } from "./credential.ts";

/** A ticket as it is given out, once. */
export interface Ticket {
  readonly ticket: string;
  /** In milliseconds since 1970. */
  readonly expires: number;
}

interface Kept {
  readonly principal: Principal;
  readonly expires: number;
}

/** Milliseconds for which a ticket can be good. */
export const MAX_TICKET_AGE = 60_000;
const MOST = 100_000;
const MOST_OF_ONE = 1000;
const BYTES = 32;
const TICKET = /^[\w-]{43}$/;

/**
 * Tickets for one WebSocket each: a browser can send a credential with its handshake only in the address, where a
 * longer-lived one could end up in logs. Kept as hashes, in memory, until they are used or too old.
 */
export class Tickets implements RequestVerifier {
  readonly #kept = new Map<string, Kept>();
  readonly #counts = new Map<string, number>();
  readonly #now: () => number;

  readonly #isGone: (principal: Principal) => boolean;

  /** `isGone` says whether the credential of a principal is gone. `now` is in milliseconds since 1970. */
  constructor(isGone: (principal: Principal) => boolean = () => false, now: () => number = Date.now) {
    this.#isGone = isGone;
    this.#now = now;
  }

  /**
   * A ticket for a principal, which may read no more than `channels` by it if there are any. Throws `FORBIDDEN` if it
   * may not read all of them, and `RATE_LIMITED` if too many tickets wait to be used.
   */
  issue(principal: Principal, channels: readonly ChannelPattern[] | undefined, age: number): Ticket {
    const ticket = randomBytes(BYTES).toString("base64url");
    // Without authentication no one looks at tickets.
    if (principal === ANYONE) return { ticket, expires: this.#now() + age };
    const narrowed = channels === undefined ? principal : narrow(principal, channels);
    this.#makeRoom(principal.id);
    const expires = Math.min(this.#now() + Math.min(age, MAX_TICKET_AGE), principal.expires ?? Infinity);
    this.#kept.set(digest(ticket), { principal: narrowed, expires });
    this.#count(principal.id, 1);
    return { ticket, expires };
  }

  /** Whose ticket the address of a request has; undefined if it has none. Throws `UNAUTHENTICATED` for one that is not good. */
  verify({ url = "" }: IncomingMessage): Principal | undefined {
    const start = url.indexOf("?");
    const [ticket, ...more] = start === -1 ? [] : new URLSearchParams(url.slice(start + 1)).getAll("ticket");
    if (ticket === undefined) return undefined;
    if (more.length > 0) throw twoCredentials();
    const kept = TICKET.test(ticket) ? this.#take(digest(ticket)) : undefined;
    if (kept === undefined || kept.expires <= this.#now() || this.#isGone(kept.principal)) throw invalidCredential();
    return kept.principal;
  }

  #take(hash: string): Kept | undefined {
    const kept = this.#kept.get(hash);
    if (kept === undefined) return undefined;
    this.#kept.delete(hash);
    this.#count(kept.principal.id, -1);
    return kept;
  }

  #makeRoom(id: string): void {
    const isFull = (): boolean => this.#kept.size >= MOST || (this.#counts.get(id) ?? 0) >= MOST_OF_ONE;
    if (!isFull()) return;
    const now = this.#now();
    for (const [hash, { expires }] of this.#kept) if (expires <= now) this.#take(hash);
    if (!isFull()) return;
    const sentence = "Too many tickets wait to be used; ask for one right before each connection";
    throw new HubError("RATE_LIMITED", sentence, { retryAfter: MAX_TICKET_AGE / 1000 });
  }

  #count(id: string, by: 1 | -1): void {
    const count = (this.#counts.get(id) ?? 0) + by;
    if (count === 0) this.#counts.delete(id);
    else this.#counts.set(id, count);
  }
}

/** The same principal, who reads only these channels: even an admin, who is not one then. */
function narrow(principal: Principal, channels: readonly ChannelPattern[]): Principal {
  checkSubscribe(principal, channels);
  const { admin, publish } = principal;
  const narrowed = {
    ...principal,
    publish: admin ? [EVERYTHING] : publish,
    subscribe: uncovered(channels),
    admin: false,
  };
  checkSubscribe(narrowed, channels);
  return narrowed;
}

function digest(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}
