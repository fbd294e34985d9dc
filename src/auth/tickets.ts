import { createHash, randomBytes } from "node:crypto";
import { HubError } from "../core/errors.ts";
import { ANYONE, checkSubscribe, type Principal } from "../core/principal.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { EVERYTHING, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import { invalidCredential } from "./credential.ts";

/** A ticket as it is given out, once. */
export interface Ticket {
  readonly ticket: string;
  /** In milliseconds since 1970. */
  readonly expires: number;
}

/** Milliseconds for which a ticket can be good. */
export const MAX_TICKET_AGE = 60_000;
const MAX_PER_PRINCIPAL = 1000;
const BYTES = 32;
const TICKET = /^[\w-]{43}$/;

/**
 * Tickets for one WebSocket each: a browser can send a credential with its handshake only in the address, where a
 * longer-lived one could end up in logs. Kept as hashes, in what the nodes share, until they are used or too old.
 */
export class Tickets {
  readonly #shared: SharedStore;
  readonly #isGone: (principal: Principal) => boolean;
  readonly #now: () => number;

  /** `isGone` says whether the credential of a principal is gone. `now` is in milliseconds since 1970. */
  constructor(
    shared: SharedStore,
    isGone: (principal: Principal) => boolean = () => false,
    now: () => number = Date.now,
  ) {
    this.#shared = shared;
    this.#isGone = isGone;
    this.#now = now;
  }

  /**
   * A ticket for a principal, which may read no more than `channels` by it if there are any. Rejects with `FORBIDDEN` if
   * it may not read all of them, `RATE_LIMITED` if too many tickets wait to be used, or as the store does.
   */
  async issue(principal: Principal, channels: readonly ChannelPattern[] | undefined, age: number): Promise<Ticket> {
    const ticket = randomBytes(BYTES).toString("base64url");
    const now = this.#now();
    // Without authentication no one looks at tickets.
    if (principal === ANYONE) return { ticket, expires: now + age };
    const narrowed = channels === undefined ? principal : narrow(principal, channels);
    const expires = Math.min(now + Math.min(age, MAX_TICKET_AGE), principal.expires ?? Infinity);
    if ((await this.#count(principal.id, 1)) > MAX_PER_PRINCIPAL) {
      await this.#count(principal.id, -1);
      const sentence = "Too many tickets wait to be used; ask for one right before each connection";
      throw new HubError("RATE_LIMITED", sentence, { retryAfter: MAX_TICKET_AGE / 1000 });
    }
    await this.#shared.set(keyOf(ticket), JSON.stringify(narrowed), Math.max(expires - now, 1));
    return { ticket, expires };
  }

  /** Whose ticket it is, on whichever node it was given out. Rejects with `UNAUTHENTICATED`, or as the store does. */
  async verify(ticket: string): Promise<Principal> {
    const kept = TICKET.test(ticket) ? await this.#shared.take(keyOf(ticket)) : undefined;
    if (kept === undefined) throw invalidCredential();
    const principal = JSON.parse(kept) as Principal;
    // A ticket issued before this counter began was never counted: undo the decrement.
    if ((await this.#count(principal.id, -1)) < 0) await this.#count(principal.id, 1);
    if ((principal.expires ?? Infinity) <= this.#now() || this.#isGone(principal)) throw invalidCredential();
    return principal;
  }

  /** Counts those of a principal that wait to be used: from the first in a minute, after which none of them is good. */
  async #count(id: string, more: 1 | -1): Promise<number> {
    return (await this.#shared.increment(`tickets:${id}`, more, MAX_TICKET_AGE)).total;
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

function keyOf(ticket: string): string {
  return `ticket:${createHash("sha256").update(ticket).digest("base64url")}`;
}
