import { createHash, timingSafeEqual } from "node:crypto";
import { occurrenceMembers } from "../../core/occurrence.ts";
import type { Message } from "../../core/message.ts";
import type { EventDialect } from "../../protocol/event-dialect.ts";
import { isObject } from "../../protocol/json.ts";
import type { PostFault } from "./safe-post.ts";
import { headersOf, type Envelope } from "./envelope.ts";
import type { Attempt } from "./progress.ts";

/** What identifies a subscription. */
export interface SubscriptionKey {
  /** The id of the principal. */
  readonly owner: string;
  readonly url: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Categories of failures that clients are told, and nothing else of what an endpoint answered. */
export type FailureCategory =
  | "connection_refused"
  | "timeout"
  | "tls_error"
  | "http_4xx"
  | "http_5xx"
  | "challenge_failed";

const HASH_CHARS = 32;
const SUBSCRIPTION_HEADER = "x-mcp-subscription-id";

/** The id of a subscription, the same each time its client asks for it. */
export function subscriptionId({ owner, url, name, args }: SubscriptionKey): string {
  return `sub_${hashOf(canonicalJson([owner, url, name, args]))}`;
}

/** A message as the body of a delivery; `cursor` is what the client may keep once it has taken it. */
export function occurrenceEnvelope(
  message: Message,
  id: string,
  { subscription, name, cursor, path, dialect }: EnvelopeOptions & { readonly name: string; readonly cursor: string },
): Envelope {
  const body = `{${occurrenceMembers(name, message, id, cursor)}}`;
  // In SEP-3415 it identifies the message to this endpoint, and in the sketch the event.
  return { id: dialect !== "sep-3415" ? id : `${subscription}_${id}`, headers: eventHeaders(subscription, path), body };
}

/** A control envelope; `seed` is the same each time it is sent. */
export function controlEnvelope(
  type: "gap" | "terminated" | "verification",
  members: object,
  seed: string,
  { subscription, path }: Omit<EnvelopeOptions, "dialect">,
): Envelope {
  const id = `msg_${type}_${hashOf(`${subscription} ${seed}`)}`;
  return { id, headers: eventHeaders(subscription, path), body: JSON.stringify({ type, ...members }) };
}

interface EnvelopeOptions {
  readonly subscription: string;
  /** The ids of the hubs that it came through. */
  readonly path: string;
  readonly dialect: EventDialect | "off";
}

/** Whether an answer to a verification has its challenge; compared in a time that does not say how much of it was right. */
export function isEcho(text: string, challenge: string): boolean {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return false;
  }
  const echo = isObject(answer) ? answer["challenge"] : undefined;
  const digest = (one: string): Buffer => createHash("sha256").update(one).digest();
  return typeof echo === "string" && timingSafeEqual(digest(echo), digest(challenge));
}

/** Why an endpoint could not be reached. */
export function categoryOf(kind: PostFault["kind"] | undefined): FailureCategory {
  if (kind === "timeout") return "timeout";
  return kind === "tls" ? "tls_error" : "connection_refused";
}

/** The category of the last try; undefined if it was taken, or there was none. */
export function lastFailure([last]: readonly Attempt[]): FailureCategory | undefined {
  if (last === undefined || last.outcome === "delivered") return undefined;
  if (last.status === undefined) return categoryOf(last.fault);
  return last.status >= 500 ? "http_5xx" : "http_4xx";
}

function eventHeaders(subscription: string, path: string): Readonly<Record<string, string>> {
  return { ...headersOf("application/json", path), [SUBSCRIPTION_HEADER]: subscription };
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_CHARS);
}

/** JSON with the names of each object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
