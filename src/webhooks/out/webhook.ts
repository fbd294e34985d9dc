import { isIP } from "node:net";
import { z } from "zod";
import { MAX_EVENT, type Message } from "../../core/message.ts";
import { isOfType } from "../../core/occurrence.ts";
import type { Principal } from "../../core/principal.ts";
import type { ChannelPattern } from "../../protocol/channel.ts";
import { hostOf, isLoopbackName, type AddressRules } from "./address-rules.ts";
import type { SigningSecret } from "./signature.ts";

/** How a message looks in the body of a delivery. */
export const FORMATS = ["json", "cloudevents"] as const;
export type WebhookFormat = (typeof FORMATS)[number];

/** Whose webhook it is: it goes to channels that they may read, and ends with their credential. */
interface Owner {
  readonly id: string;
  readonly subject: string;
  readonly kind: Principal["kind"];
}

/** Why nothing is sent: its owner said so, it was refused for a day, it answered 410, or its owner has lost the right. */
export const SUSPENSIONS = ["owner", "failures", "gone", "credential"] as const;

export interface Suspension {
  readonly reason: (typeof SUSPENSIONS)[number];
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What makes a webhook the subscription of an MCP client (SEP-3415). */
interface EventSubscription {
  /** The type of event. */
  readonly name: string;
  /** Only messages of one of these senders; all if it is empty. */
  readonly senders: readonly string[];
  /** When its client last asked for it, in milliseconds since 1970. */
  readonly renewed: number;
}

/** What is sent where, and with which secrets. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly channels: readonly ChannelPattern[];
  /** Only messages with one of these events; all if it is empty. */
  readonly events: readonly string[];
  readonly format: WebhookFormat;
  /** The first signs; the others, too, until their time is over. */
  readonly secrets: readonly SigningSecret[];
  /** Undefined if the configuration has it. */
  readonly owner: Owner | undefined;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Until when its owner's right to it is good, unless the owner renews it; milliseconds since 1970. */
  readonly expires?: number | undefined;
  /** Where it begins to read; the number is another each time it is to begin again. */
  readonly start: { readonly number: number; readonly after: string };
  readonly suspension?: Suspension | undefined;
  /** Set if it is the subscription of an MCP client. */
  readonly mcp?: EventSubscription | undefined;
}

/** What the configuration says of a webhook. */
export type ConfiguredWebhook = Pick<Webhook, "id" | "url" | "channels" | "events" | "format" | "secrets"> & {
  readonly after: string | undefined;
};

/** Characters of a URL. */
const MAX_URL = 2048;
/** Channels and patterns of one webhook. */
export const MAX_CHANNELS = 100;
const MAX_EVENTS = 100;
/** Webhooks of one principal. */
export const MAX_OWN = 100;
export const MAX_ALL = 1000;

const start = z.object({ number: z.int(), after: z.string() });
const suspension = z.object({ reason: z.enum(SUSPENSIONS), since: z.number() });
/** What a record says of a webhook that the configuration has. */
const controlRecord = z.object({
  isConfigured: z.literal(true),
  created: z.number(),
  start,
  suspension: suspension.optional(),
});
const fullRecord = z.object({
  url: z.string(),
  channels: z.array(z.string()),
  events: z.array(z.string()),
  format: z.enum(FORMATS),
  secrets: z.array(z.object({ secret: z.string(), until: z.number().optional() })),
  owner: z.object({
    id: z.string(),
    subject: z.string(),
    kind: z.enum(["jwt", "key", "session", "certificate", "anonymous"]),
  }),
  created: z.number(),
  expires: z.number().optional(),
  start,
  suspension: suspension.optional(),
  mcp: z.object({ name: z.string(), senders: z.array(z.string()), renewed: z.number() }).optional(),
});

/** Whether a message is to be sent. To an MCP client, it is not if it is to wake no agent by itself. */
export function isWanted({ events, mcp }: Webhook, message: Message): boolean {
  const { event, sender, quiet } = message;
  if (events.length > 0 && !events.includes(event)) return false;
  if (mcp === undefined) return true;
  if (quiet === true || !isOfType(mcp.name, message)) return false;
  return mcp.senders.length === 0 || mcp.senders.includes(sender);
}

/** The text of a webhook's record: without what the configuration says, which has secrets that are not to be kept. */
export function recordText(webhook: Webhook): string {
  const { id: _, ...full } = webhook;
  if (webhook.owner !== undefined) return JSON.stringify(full);
  const { created, start: begin, suspension: why } = webhook;
  return JSON.stringify({ isConfigured: true, created, start: begin, suspension: why });
}

/** Reads a record; undefined if the configuration no longer has it, or another version wrote what cannot be read. */
export function webhookOf(id: string, text: string, configured: ConfiguredWebhook | undefined): Webhook | undefined {
  const value: unknown = JSON.parse(text);
  const control = controlRecord.safeParse(value);
  if (control.success) return configured && { ...configured, owner: undefined, ...control.data };
  const { data } = fullRecord.safeParse(value);
  return data && { id, ...data, channels: data.channels as ChannelPattern[] };
}

/** What is wrong with a list of events, as the end of a sentence after its name; undefined if nothing is. */
export function eventsProblem(events: readonly string[]): string | undefined {
  if (events.length > MAX_EVENTS) return ` has ${events.length} names; at most ${MAX_EVENTS} are allowed`;
  const long = events.findIndex((event) => event.length > MAX_EVENT);
  if (long === -1) return undefined;
  return `[${long}] has ${events[long]?.length} characters; no event has more than ${MAX_EVENT}`;
}

/**
 * What is wrong with the URL of a webhook, as the end of a sentence; undefined if nothing is. Names are resolved later,
 * each time something is sent.
 */
export function urlProblem(text: string, rules: AddressRules): string | undefined {
  const example = "use a URL such as https://example.com/webhooks";
  if (text.length > MAX_URL) return `it has ${text.length} characters; at most ${MAX_URL} are allowed`;
  if (!URL.canParse(text)) return example;
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return example;
  if (url.username !== "" || url.password !== "")
    return "leave the user and password out; the signature proves the sender";
  if (url.hash !== "") return "leave the part after # out; it is not sent";
  const host = hostOf(url);
  const address = isLoopbackName(url) ? "127.0.0.1" : host;
  const isAddress = isIP(address) !== 0;
  if (url.protocol === "http:" && !(isAddress ? rules.isAllowed(address) : rules.allowsSome)) {
    return "use https; plain http goes only to networks that WEBHOOK_ALLOW lists, such as 127.0.0.0/8 and ::1";
  }
  if (!isAddress || rules.mayReach(address)) return undefined;
  return "that address is not on the public internet; WEBHOOK_ALLOW can list it, such as 127.0.0.0/8 and ::1";
}
