import { z } from "zod";
import { FORMATS, SUSPENSIONS, type Webhook } from "../webhooks/out/webhook.ts";
import { SUSPENSION_SENTENCES, type WebhookStatus } from "../webhooks/out/status.ts";

const time = z.iso.datetime();
const delivery = z.object({
  id: z.string().describe("Its webhook-id: that of the message"),
  attempt: z.int().describe("Which try this was, from 1"),
  time,
  milliseconds: z.int(),
  status: z.int().nullable().describe("Of the answer; null if there was none"),
  outcome: z.enum(["delivered", "failed", "given_up"]),
  error: z.string().nullable(),
});
const listed = z.object({
  id: z.string(),
  url: z.string(),
  channels: z.array(z.string()),
  events: z.array(z.string()),
  format: z.enum([...FORMATS, "mcp"]).describe("mcp: what an MCP client has subscribed to"),
  owner: z.string().nullable().describe("Whose it is; null if WEBHOOKS_FILE has it"),
  created: time,
  expires: time.nullable().describe("Until when it is good unless its owner changes something"),
  state: z.enum(["active", "failing", "suspended"]),
  suspended: z
    .object({ reason: z.enum(SUSPENSIONS), since: time, sentence: z.string() })
    .nullable()
    .describe("Why nothing is sent"),
  position: z.string().describe("The cursor up to which everything is delivered or given up"),
  pending: z.int().describe("Messages that were read and are not delivered yet"),
  delivered: z.int(),
  lastSuccess: time.nullable(),
  failingSince: time.nullable(),
  nextAttempt: time.nullable(),
  previousSecretUntil: time.nullable().describe("Until when the secret before signs, too"),
  secret: z.string().optional().describe("Once, if the server made it"),
});

/** A webhook with its last deliveries, the newest first. */
export const webhookStatus: z.ZodType = listed.extend({ deliveries: z.array(delivery) });
export const webhookList: z.ZodType = z.object({ webhooks: z.array(listed) });
export const testResult: z.ZodType = z.object({
  id: z.string().describe("The webhook-id of the delivery"),
  delivered: z.boolean(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  milliseconds: z.int(),
});

/** A webhook as callers see it, and its last deliveries. */
export function withDeliveries(webhook: Webhook, status: WebhookStatus): object {
  const deliveries = status.attempts.map(({ id, attempt, time: at, milliseconds, status: code, outcome, error }) => ({
    id,
    attempt,
    milliseconds,
    outcome,
    time: isoTime(at),
    status: code ?? null,
    error: error ?? null,
  }));
  return { ...described(webhook, status), deliveries };
}

/** A webhook as callers see it: without its secrets. */
export function described(webhook: Webhook, status: WebhookStatus): object {
  const { id, url, channels, events, format, owner, created, expires, suspension, secrets, mcp } = webhook;
  const { state, position, pending, delivered, lastSuccess, failingSince, nextAttempt } = status;
  return {
    id,
    url,
    channels,
    events,
    format: mcp === undefined ? format : "mcp",
    owner: owner?.subject ?? null,
    created: isoTime(created),
    expires: isoTime(expires),
    state,
    suspended: suspension === undefined ? null : suspensionObject(suspension),
    position,
    pending,
    delivered,
    lastSuccess: isoTime(lastSuccess),
    failingSince: isoTime(failingSince),
    nextAttempt: isoTime(nextAttempt),
    previousSecretUntil: isoTime(secrets[1]?.until),
  };
}

function suspensionObject({ reason, since }: NonNullable<Webhook["suspension"]>): object {
  return { reason, since: isoTime(since), sentence: SUSPENSION_SENTENCES[reason] };
}

function isoTime(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
