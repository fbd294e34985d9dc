import { isObject } from "../../protocol/json.ts";
import type { Handshake, HookAnswer } from "./handshakes.ts";
import { confirmSns, discordPing, githubPing, slackChallenge } from "./handshakes.ts";

/** Where to find something in a delivery; `body` stands for the hash of the whole body. */
export type Place = { readonly header: string } | { readonly pointer: string } | "body" | "event and body";

/** What the hub knows about a provider, so that a hook need not say it. */
export interface Provider {
  /** The `verify` of its hooks, to which a hook may add. */
  readonly verify?: Readonly<Record<string, unknown>>;
  /** Where the event is: the first of these places that has a value. */
  readonly event?: readonly Place[];
  /** The first of these that is there is the id of the delivery, by which one that comes again is known. */
  readonly id?: readonly Place[];
  /** Where the body has the time of the delivery, if the signed time is there. */
  readonly timestamp?: { readonly pointer: string; readonly unit: "s" | "ms" };
  /** Seconds by which the time of a delivery may differ from ours; absent if it has no time. */
  readonly tolerance?: number;
  /** Answers a verified request that only sets the hook up. */
  readonly handshake?: Handshake;
  /** The status of an answer without a body to what was published; without it, the answer is 200 with the id. */
  readonly emptyAnswer?: (body: unknown) => HookAnswer["status"];
  /** What the provider calls the secret that it generates; absent if we generate it, and empty if there is none. */
  readonly secret?: string;
  /** Members that `hook new` picks: what most readers want, so that messages are small. */
  readonly pick?: readonly string[];
}

const MINUTES = 60;
const FIVE_MINUTES = 5 * MINUTES;

/** For those who sign the body and not the header with its id: whoever sends a body again could choose another id. */
const SIGNED_BODY: readonly Place[] = ["body"];
const HOOK_ID: Place = { header: "webhook-id" };
const STANDARD: Provider = {
  verify: { scheme: "standard" },
  event: [{ pointer: "/type" }],
  id: [HOOK_ID, { header: "svix-id" }],
  tolerance: FIVE_MINUTES,
};
const STANDARD_SIGNER: Provider = { ...STANDARD, secret: "the signing secret, whsec_…" };

/** The header and the hexadecimal HMAC-SHA256 of the body in it. */
function hexHmac(header: string, prefix?: string): Readonly<Record<string, unknown>> {
  return { scheme: "hmac", header, ...(prefix === undefined ? {} : { prefix }) };
}

function gitForge(name: string): Provider {
  return {
    verify: hexHmac(`x-${name}-signature`),
    event: [{ header: `x-${name}-event` }],
    id: SIGNED_BODY,
    pick: ["/action", "/ref", "/repository/full_name", "/sender/login", "/pull_request/title", "/issue/title"],
  };
}

/** The providers by the name that a hook gives. */
export const PROVIDERS: Readonly<Record<string, Provider>> = {
  github: {
    verify: hexHmac("x-hub-signature-256", "sha256="),
    event: [{ header: "x-github-event" }],
    id: SIGNED_BODY,
    handshake: githubPing,
    pick: [
      "/action",
      "/ref",
      "/repository/full_name",
      "/sender/login",
      "/pull_request/number",
      "/pull_request/title",
      "/pull_request/html_url",
      "/issue/number",
      "/issue/title",
      "/issue/html_url",
      "/comment/body",
      "/comment/html_url",
      "/head_commit/message",
      "/compare",
      "/workflow_run/name",
      "/workflow_run/conclusion",
      "/workflow_run/html_url",
      "/release/tag_name",
    ],
  },
  gitlab: {
    verify: { scheme: "token", in: "header", header: "x-gitlab-token" },
    event: [{ pointer: "/object_kind" }, { header: "x-gitlab-event" }],
    id: [{ header: "idempotency-key" }, { header: "x-gitlab-event-uuid" }],
  },
  // GitLab with a signing token speaks Standard Webhooks.
  "gitlab-signed": {
    ...STANDARD,
    // System hooks have only the second. The header with the event is not signed.
    event: [{ pointer: "/object_kind" }, { pointer: "/event_name" }],
    secret: "the signing token, whsec_…",
  },
  gitea: gitForge("gitea"),
  forgejo: gitForge("forgejo"),
  stripe: {
    verify: { scheme: "stripe" },
    event: [{ pointer: "/type" }],
    id: [{ pointer: "/id" }],
    tolerance: FIVE_MINUTES,
    secret: "the signing secret of the endpoint, whsec_…",
  },
  slack: {
    verify: {
      scheme: "hmac",
      header: "x-slack-signature",
      prefix: "v0=",
      signed: "v0:{timestamp}:{body}",
      timestampHeader: "x-slack-request-timestamp",
    },
    event: [{ pointer: "/event/type" }, { pointer: "/command" }, { pointer: "/type" }],
    id: [{ pointer: "/event_id" }, { pointer: "/trigger_id" }, "body"],
    tolerance: FIVE_MINUTES,
    handshake: slackChallenge,
    // Slack shows the body of an answer to a command to the person who typed it.
    emptyAnswer: () => 200,
    secret: "the signing secret of the app",
  },
  shopify: {
    verify: { scheme: "hmac", header: "x-shopify-hmac-sha256", encoding: "base64" },
    event: [{ header: "x-shopify-topic" }],
    // It may send the same bytes for two topics, such as orders/create and orders/paid.
    id: ["event and body"],
    secret: "the client secret of the app",
  },
  twilio: {
    verify: { scheme: "twilio" },
    event: [
      { pointer: "/EventType" },
      { pointer: "/MessageStatus" },
      { pointer: "/CallStatus" },
      { pointer: "/SmsStatus" },
    ],
    // Twilio takes the body of an answer for instructions in XML.
    emptyAnswer: () => 204,
    secret: "the auth token of the account",
  },
  linear: {
    verify: hexHmac("linear-signature"),
    event: [{ pointer: "/type" }],
    id: SIGNED_BODY,
    timestamp: { pointer: "/webhookTimestamp", unit: "ms" },
    tolerance: MINUTES,
    secret: "the signing secret of the webhook",
  },
  standard: STANDARD,
  svix: STANDARD_SIGNER,
  openai: STANDARD_SIGNER,
  resend: STANDARD_SIGNER,
  clerk: STANDARD_SIGNER,
  replicate: STANDARD_SIGNER,
  supabase: STANDARD_SIGNER,
  make: STANDARD_SIGNER,
  cursor: {
    verify: hexHmac("x-webhook-signature", "sha256="),
    event: [{ pointer: "/event" }],
    id: SIGNED_BODY,
  },
  discord: {
    verify: { scheme: "ed25519", header: "x-signature-ed25519", timestampHeader: "x-signature-timestamp" },
    event: [{ pointer: "/event/type" }],
    // Events have no id; their bodies differ at least in the time of the event.
    id: [{ pointer: "/id" }, "body"],
    tolerance: FIVE_MINUTES,
    handshake: discordPing,
    // 202 tells Discord that an interaction is responded to by a request of its own.
    emptyAnswer: (body) => (isObject(body) && isObject(body["event"]) ? 204 : 202),
    secret: "the public key of the app",
  },
  sns: {
    verify: { scheme: "sns" },
    event: [{ pointer: "/Type" }],
    id: [{ pointer: "/MessageId" }],
    handshake: confirmSns,
    secret: "",
  },
  pubsub: {
    verify: {
      scheme: "jwt",
      issuers: ["https://accounts.google.com", "accounts.google.com"],
      jwks: "https://www.googleapis.com/oauth2/v3/certs",
    },
    event: [{ pointer: "/message/attributes/event" }],
    id: [{ pointer: "/message/messageId" }],
    secret: "",
  },
  cloudevents: {
    verify: { scheme: "token", in: "header", header: "authorization", prefix: "Bearer " },
    event: [{ pointer: "/type" }],
  },
  bearer: { verify: { scheme: "token", in: "header", header: "authorization", prefix: "Bearer " } },
  basic: { verify: { scheme: "token", in: "basic" } },
  // For senders that only know a URL: the secret is part of it.
  unsigned: { verify: { scheme: "token", in: "path" } },
  generic: {},
};

/** The names of all providers. */
export const PROVIDER_NAMES: readonly string[] = Object.keys(PROVIDERS);

/** What is known of the provider of a hook. */
export function providerOf({ provider }: { readonly provider: string }): Provider {
  return PROVIDERS[provider] as Provider;
}
