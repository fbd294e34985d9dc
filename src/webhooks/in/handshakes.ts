import { HubError } from "../../core/errors.ts";
import { isObject } from "../../protocol/json.ts";
import { headerOf, type Delivery } from "./delivery.ts";
import { snsUrl, type FetchText } from "./schemes/sns.ts";

/** What a hook answers to a request that only sets it up. */
export interface HookAnswer {
  readonly status: 200 | 202 | 204;
  /** JSON text; empty for none. */
  readonly body: string;
}

/** What a handshake needs. */
export interface HandshakeTools {
  readonly fetchText: FetchText;
}

/** Answers a verified request that only sets a hook up; undefined for all others. */
export type Handshake = (
  delivery: Delivery,
  body: unknown,
  tools: HandshakeTools,
) => HookAnswer | undefined | Promise<HookAnswer | undefined>;

const NO_CONTENT: HookAnswer = { status: 204, body: "" };
const MAX_CHALLENGE = 1024;

/** GitHub announces a new webhook. */
export const githubPing: Handshake = (delivery) =>
  headerOf(delivery, "x-github-event") === "ping" ? { status: 200, body: "{}" } : undefined;

/** Slack checks that the URL returns a challenge. */
export const slackChallenge: Handshake = (_, body) => {
  if (!isObject(body) || body["type"] !== "url_verification") return undefined;
  const { challenge } = body;
  if (typeof challenge !== "string" || challenge.length > MAX_CHALLENGE) {
    throw new HubError("INVALID_DELIVERY", `challenge is not a text of at most ${MAX_CHALLENGE} characters`);
  }
  return { status: 200, body: JSON.stringify({ challenge }) };
};

/** Discord checks a URL with a PING: type 1 for interactions, type 0 for webhook events. */
export const discordPing: Handshake = (_, body) => {
  if (!isObject(body)) return undefined;
  // Webhook events have type 1, too, but with an `event`.
  if (body["type"] === 1 && !isObject(body["event"])) return { status: 200, body: '{"type":1}' };
  return body["type"] === 0 ? NO_CONTENT : undefined;
};

/** SNS sends notifications once its `SubscribeURL` was fetched. */
export const confirmSns: Handshake = async (_, body, { fetchText }) => {
  if (!isObject(body) || body["Type"] !== "SubscriptionConfirmation") return undefined;
  const url = snsUrl(body["SubscribeURL"], String(body["TopicArn"]));
  if (url === undefined)
    throw new HubError("INVALID_DELIVERY", "SubscribeURL is not an address of SNS in the region of the topic");
  try {
    await fetchText(url.href);
  } catch (cause) {
    const sentence = "The subscription cannot be confirmed right now; send it again later";
    throw new HubError("AUTH_UNAVAILABLE", sentence, { cause });
  }
  return { status: 200, body: "{}" };
};
