import {
  covers,
  EVERYTHING,
  isCovered,
  isPresenceChannel,
  isServerChannel,
  PRESENCE,
  uncovered,
  type ChannelName,
  type ChannelPattern,
} from "../protocol/channel.ts";
import { HubError } from "./errors.ts";

/** What someone may do. */
export interface Grants {
  /** Channels and patterns to publish on, none of which covers another. */
  readonly publish: readonly ChannelPattern[];
  /** Channels and patterns to read, none of which covers another. */
  readonly subscribe: readonly ChannelPattern[];
  /** Whether it may do everything, and see the server's own channels and metrics. */
  readonly admin: boolean;
  /** Whether its messages may name another sender than itself, as those of a bridge do. */
  readonly sendAs: boolean;
}

/** Who asks: made once from a request's credential, and judged by the functions below. */
export interface Principal extends Grants {
  /** What they are called as senders of their messages. */
  readonly subject: string;
  /** What proved who they are. */
  readonly kind: "jwt" | "key" | "session" | "certificate" | "hook" | "anonymous";
  /** What limits, idempotency keys and MCP sessions belong to: one key, one subject at one issuer and client, one certificate name, or one hook. */
  readonly id: string;
  /** Until when its credential is good, in milliseconds since 1970; absent if it has no end. */
  readonly expires?: number | undefined;
}

/** The scopes of OAuth that the rights have (RFC 6749 section 3.3). */
export const SCOPES = { read: "hub:read", publish: "hub:publish", admin: "hub:admin" } as const;

/** Everyone, while there is no authentication: whoever reaches the server may do everything. */
export const ANYONE: Principal = {
  ...anonymous({ publish: [EVERYTHING], subscribe: [EVERYTHING], admin: true }),
  id: "anyone",
};

/** Someone without a credential, who may call themselves what they like. */
export function anonymous({ publish, subscribe, admin }: Omit<Grants, "sendAs">): Principal {
  return {
    subject: "anyone",
    kind: "anonymous",
    id: "anonymous",
    publish: uncovered(publish),
    subscribe: uncovered(subscribe),
    admin,
    sendAs: true,
  };
}

/** Whether it may do anything at all. */
export function hasGrants({ publish, subscribe, admin }: Principal): boolean {
  return admin || publish.length > 0 || subscribe.length > 0;
}

export function mayPublish({ publish, subscribe, admin }: Principal, channel: ChannelName): boolean {
  if (admin) return true;
  // Readers of a channel announce their presence beside it.
  if (isPresenceChannel(channel)) return isCovered(subscribe, channel.slice(PRESENCE.length) as ChannelName);
  return !isServerChannel(channel) && isCovered(publish, channel);
}

/** Whether it may read every channel that a pattern names. */
export function maySubscribe({ subscribe, admin }: Principal, pattern: ChannelPattern): boolean {
  if (admin) return true;
  if (isPresenceChannel(pattern)) return isCovered(subscribe, pattern.slice(PRESENCE.length) as ChannelName);
  return !isServerChannel(pattern) && subscribe.some((granted) => covers(granted, pattern));
}

/** Throws `UNAUTHENTICATED` or `FORBIDDEN` if it may not publish on a channel. */
export function checkPublish(principal: Principal, channel: ChannelName): void {
  if (!mayPublish(principal, channel)) throw refusal(principal, "publish", `publish on ${JSON.stringify(channel)}`);
}

/** Throws `UNAUTHENTICATED` or `FORBIDDEN`, naming the first of the patterns that its grants do not cover as a whole. */
export function checkSubscribe(principal: Principal, patterns: readonly ChannelPattern[]): void {
  if (principal.admin) return;
  const refused = patterns.find((pattern) => !maySubscribe(principal, pattern));
  if (refused === undefined) return;
  const isOwn = isServerChannel(refused) && !isPresenceChannel(refused);
  throw refusal(principal, isOwn ? "admin" : "read", `read ${JSON.stringify(refused)}`);
}

/** Throws `UNAUTHENTICATED` or `FORBIDDEN` if it is not an admin; `what` completes "may not". */
export function checkAdmin(principal: Principal, what: string): void {
  if (!principal.admin) throw refusal(principal, "admin", what);
}

/** Throws `UNAUTHENTICATED` or `FORBIDDEN` if it may not read, or publish, anything; `what` completes "may not". */
export function checkAnyGrant(principal: Principal, right: "read" | "publish", what: string): void {
  const { publish, subscribe, admin } = principal;
  if (!admin && (right === "read" ? subscribe : publish).length === 0) throw refusal(principal, right, what);
}

/** The channels of a pattern that it may read, as patterns in byte order of which none covers another. */
export function readable({ subscribe, admin }: Principal, pattern: ChannelPattern): readonly ChannelPattern[] {
  if (admin) return [pattern];
  return subscribe.flatMap((granted) => {
    if (covers(granted, pattern)) return [pattern];
    return covers(pattern, granted) ? [granted] : [];
  });
}

/** What someone who lacks a right is told; `what` completes "may not". */
export function refusal(principal: Principal, right: keyof typeof SCOPES, what: string): HubError {
  const scope = SCOPES[right];
  if (principal.kind === "anonymous") {
    const sentence = `Without a credential you may not ${what}; send one, such as Authorization: Bearer`;
    return new HubError("UNAUTHENTICATED", sentence, { challenge: { scope } });
  }
  const sentence = `This credential may not ${what}; use one with the right to, or ask for that right`;
  return new HubError("FORBIDDEN", sentence, { challenge: { error: "insufficient_scope", scope } });
}
