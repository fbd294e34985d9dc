import type { FastifyRequest } from "fastify";
import type { z } from "zod";
import { HubError } from "../core/errors.ts";
import { checkSubscribe, type Principal } from "../core/principal.ts";
import { isServerChannel, type ChannelPattern } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import { lenient, problems } from "../tools/index.ts";
import { secretProblem } from "../webhooks/out/signature.ts";
import { ownerOf, renewal } from "../webhooks/out/ownership.ts";
import { MAX_CHANNELS, eventsProblem, urlProblem, type Webhook } from "../webhooks/out/webhook.ts";
import type { Webhooks } from "../webhooks/out/webhooks.ts";
import { checkedChannels } from "./channel-query.ts";
import { jsonBody } from "./json-body.ts";

/** Milliseconds for which a secret still signs beside the one that replaced it. */
const ROTATION = 24 * 3_600_000;
/** In place of a secret: one that the server makes. */
export const NEW = "new";

/** What is to change; what is left out stays. */
export interface Patch {
  readonly url?: string | undefined;
  readonly channels?: readonly string[] | undefined;
  readonly events?: readonly string[] | undefined;
  readonly format?: Webhook["format"] | undefined;
  readonly secret?: string | undefined;
  readonly suspended?: boolean | undefined;
}

/** The body of a request by its schema. Throws `INVALID_INPUT`, naming the field. */
export function bodyOf<Schema extends z.ZodObject>({ body }: FastifyRequest, schema: Schema): z.output<Schema> {
  const json = jsonBody(body);
  const given = isObject(json) ? json : { body: json };
  const { data, error } = schema.safeParse(lenient(schema, given));
  if (error === undefined) return data;
  throw new HubError("INVALID_INPUT", problems(error, given, Object.keys(schema.shape)));
}

export function channelsOf(words: readonly string[], principal: Principal): readonly ChannelPattern[] {
  if (words.length === 0) throw new HubError("INVALID_INPUT", "channels is empty; name one at least, such as orders.*");
  const channels = checkedChannels(words, MAX_CHANNELS);
  const own = channels.find(isServerChannel);
  if (own !== undefined)
    throw new HubError("INVALID_PATTERN", `${own} is the server's own channel, which is not sent; leave it out`);
  checkSubscribe(principal, channels);
  return channels;
}

export function checkEvents(events: readonly string[] = []): void {
  const problem = eventsProblem(events);
  if (problem !== undefined) throw new HubError("INVALID_INPUT", `events${problem}`);
}

export function checkUrl(url: string, { rules }: Webhooks): void {
  const problem = urlProblem(url, rules);
  if (problem !== undefined) throw new HubError("INVALID_INPUT", `url: ${problem}`);
}

export function checkSecret(secret: string): void {
  const problem = secretProblem(secret);
  if (problem !== undefined) throw new HubError("INVALID_INPUT", `secret: ${problem}`);
}

export function checkPatch(
  given: Patch,
  secret: string | undefined,
  { owner, mcp }: Webhook,
  webhooks: Webhooks,
): void {
  const { suspended: _, ...changes } = given;
  const [field] = Object.keys(changes);
  if (mcp !== undefined && field !== undefined)
    throw configured("An MCP client has this subscription; it changes by events/subscribe");
  if (owner === undefined && field !== undefined)
    throw configured(`WEBHOOKS_FILE has this webhook; change its ${field} there`);
  checkEvents(given.events);
  if (given.url !== undefined) checkUrl(given.url, webhooks);
  if (secret !== undefined) checkSecret(secret);
}

export function configured(sentence: string): HubError {
  return new HubError("FORBIDDEN", sentence);
}

export function gone(): HubError {
  return new HubError("NOT_FOUND", "The webhook was deleted meanwhile");
}

export function patched(
  before: Webhook,
  {
    url,
    channels,
    events,
    format,
    secret,
    suspended,
  }: Patch & { readonly channels?: readonly ChannelPattern[] | undefined },
  principal: Principal,
  now: number,
): Webhook {
  const { suspension, ...rest } = before;
  const isOwn = before.owner?.id === principal.id;
  // An admin who resumes a webhook whose owner has lost the right makes it their own.
  const isTakenOver =
    suspended === false && suspension?.reason === "credential" && before.owner !== undefined && !isOwn;
  const kept = before.secrets.slice(0, 1).map((old) => ({ ...old, until: now + ROTATION }));
  return {
    ...rest,
    url: url ?? before.url,
    channels: channels ?? before.channels,
    events: events ?? before.events,
    format: format ?? before.format,
    secrets: secret === undefined ? before.secrets : [{ secret }, ...kept],
    ...(isTakenOver ? { owner: ownerOf(principal) } : {}),
    ...(isOwn || isTakenOver ? renewal(principal, now) : {}),
    ...(suspended === false ? {} : suspension === undefined ? {} : { suspension }),
    ...(suspended === true && suspension === undefined ? { suspension: { reason: "owner", since: now } } : {}),
  };
}
