import { randomBytes } from "node:crypto";
import type { Principal } from "../../core/principal.ts";
import type { ChannelPattern } from "../../protocol/channel.ts";
import { lastFailure, subscriptionId, type FailureCategory, type SubscriptionKey } from "./event-subscription.ts";
import type { SigningSecret } from "./signature.ts";
import { MAX_ALL, MAX_OWN, type Webhook } from "./webhook.ts";
import type { Webhooks } from "./webhooks.ts";

/** What an MCP client asks for. */
export interface SubscribeRequest extends Omit<SubscriptionKey, "owner"> {
  readonly principal: Principal;
  readonly secret: string;
  readonly channels: readonly ChannelPattern[];
  readonly events: readonly string[];
  readonly senders: readonly string[];
  /** Milliseconds; undefined for as long as the server likes. */
  readonly ttl: number | undefined;
  /** Where it begins; called only for one that is new. */
  readonly start: () => Promise<{ readonly cursor: string; readonly truncated: boolean }>;
}

/** What an MCP client is told of its subscription. */
export interface Subscribed {
  readonly id: string;
  /** Until when it lives, in milliseconds since 1970. */
  readonly expires: number;
  /** Everything up to here is delivered or given up. */
  readonly cursor: string;
  readonly truncated: boolean;
  /** How it stood before; undefined if it is new. */
  readonly status?: {
    readonly isActive: boolean;
    readonly lastSuccess: number | undefined;
    readonly lastError: FailureCategory | undefined;
    readonly failingSince: number | undefined;
  };
}

/** Why a subscription was not made. */
export type NotSubscribed = { readonly failure: FailureCategory } | { readonly most: number };

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Milliseconds that a subscription lives: at least, unless its client says so, and at most. */
const [MIN_TTL, DEFAULT_TTL, MAX_TTL] = [MINUTE, DAY, 7 * DAY];
/** Milliseconds for which a secret still signs beside the one that replaced it. */
const ROTATION = 10 * MINUTE;

/** The subscriptions of MCP clients: webhooks that live as long as their clients renew them. */
export class EventSubscriptions {
  readonly #webhooks: Webhooks;

  constructor(webhooks: Webhooks) {
    this.#webhooks = webhooks;
  }

  get rules(): Webhooks["rules"] {
    return this.#webhooks.rules;
  }

  /** Makes a subscription, once its endpoint has echoed a challenge, or renews the one that is there. */
  async subscribe(request: SubscribeRequest): Promise<Subscribed | NotSubscribed> {
    const { principal, ttl = DEFAULT_TTL } = request;
    const { store, clock } = this.#webhooks;
    const id = subscriptionId({ ...request, owner: principal.id });
    const expires = clock.now() + Math.min(Math.max(ttl, MIN_TTL), MAX_TTL);
    const before = await store.get(id);
    if (before !== undefined && this.#webhooks.lapse(before) === undefined) {
      const renewed = await this.#renew(before, request.secret, expires);
      // It may have ended in this moment.
      if (renewed !== undefined) return renewed;
    }
    const all = await store.list();
    if (isFull(all, id, principal)) return { most: MAX_OWN };
    // What is kept of a subscription says that its owner has verified its endpoint.
    const { url, secret } = request;
    const isVerified = all.some(
      (webhook) =>
        webhook.mcp !== undefined &&
        webhook.owner?.id === principal.id &&
        webhook.url === url &&
        this.#webhooks.lapse(webhook) === undefined,
    );
    if (!isVerified) {
      const endpoint = { id, url, secrets: [{ secret }], owner: principal.id };
      const failure = await this.#webhooks.verify(endpoint, newChallenge());
      if (failure !== undefined) return { failure };
    }
    const { cursor, truncated } = await request.start();
    const now = clock.now();
    const { name, senders, channels, events } = request;
    const webhook: Webhook = {
      id,
      url,
      channels,
      events,
      format: "json",
      secrets: [{ secret }],
      owner: { id: principal.id, subject: principal.subject, kind: principal.kind },
      created: now,
      expires,
      start: { number: (before?.start.number ?? -1) + 1, after: cursor },
      mcp: { name, senders, renewed: now },
    };
    try {
      await store.add(webhook, (found) => {
        if (isFull(found, id, principal)) throw new Full();
      });
    } catch (error) {
      if (error instanceof Full) return { most: MAX_OWN };
      throw error;
    }
    return { id, expires, cursor, truncated };
  }

  /** Resolves with false if there is no such subscription. */
  async unsubscribe(key: SubscriptionKey): Promise<boolean> {
    const id = subscriptionId(key);
    const found = await this.#webhooks.store.get(id);
    if (found === undefined || this.#webhooks.lapse(found) !== undefined) return false;
    await this.#webhooks.remove(id);
    return true;
  }

  async #renew(before: Webhook, secret: string, expires: number): Promise<Subscribed | undefined> {
    const { store, clock } = this.#webhooks;
    const status = await this.#webhooks.status(before);
    const now = clock.now();
    const changed = await store.change(before.id, ({ suspension, mcp, secrets, ...webhook }) => {
      if (mcp === undefined) return undefined;
      // What someone suspended by hand stays so.
      const stays = suspension?.reason === "owner" ? { suspension } : {};
      return { ...webhook, ...stays, secrets: rotated(secrets, secret, now), expires, mcp: { ...mcp, renewed: now } };
    });
    if (changed === undefined) return undefined;
    const { position, lastSuccess, failingSince, attempts } = status;
    const isActive = before.suspension === undefined;
    return {
      id: before.id,
      expires,
      cursor: position,
      truncated: false,
      status: { isActive, lastSuccess, failingSince, lastError: lastFailure(attempts) },
    };
  }
}

/** There is no room for another webhook. */
class Full extends Error {}

function isFull(all: readonly Webhook[], id: string, principal: Principal): boolean {
  const others = all.filter((webhook) => webhook.id !== id);
  return others.length >= MAX_ALL || others.filter(({ owner }) => owner?.id === principal.id).length >= MAX_OWN;
}

/** The secrets that sign from now on: a new one, and for a while the one before. */
function rotated(secrets: readonly SigningSecret[], secret: string, now: number): readonly SigningSecret[] {
  const [newest] = secrets;
  if (newest?.secret === secret) return secrets.filter(({ until = Infinity }) => until > now);
  return [{ secret }, ...(newest === undefined ? [] : [{ ...newest, until: now + ROTATION }])];
}

function newChallenge(): string {
  return randomBytes(32).toString("base64url");
}
