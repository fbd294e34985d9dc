import { z } from "zod";
import { isServerChannel, nameProblem, type ChannelName } from "../../protocol/channel.ts";
import { pointerFault } from "./pointer.ts";
import { PROVIDER_NAMES, PROVIDERS } from "./providers.ts";
import type { Ed25519Settings } from "./schemes/ed25519.ts";
import type { HmacSettings } from "./schemes/hmac.ts";
import type { JwtSettings } from "./schemes/jwt.ts";
import type { SnsSettings } from "./schemes/sns.ts";
import type { StandardSettings } from "./schemes/standard.ts";
import type { StripeSettings } from "./schemes/stripe.ts";
import type { TokenSettings } from "./schemes/token.ts";
import type { TwilioSettings } from "./schemes/twilio.ts";

/** How the deliveries of a hook are verified. */
type VerifySettings =
  | HmacSettings
  | StripeSettings
  | StandardSettings
  | TwilioSettings
  | Ed25519Settings
  | SnsSettings
  | JwtSettings
  | TokenSettings;

type Scalar = string | number | boolean | null;

/** Holds or does not hold for the body of a delivery; one of the three tests is set. */
export interface Condition {
  readonly pointer: string;
  readonly equals?: Scalar | undefined;
  readonly in?: readonly Scalar[] | undefined;
  readonly notIn?: readonly Scalar[] | undefined;
}

/** A hook as its file says it, with what is known of its provider. */
export interface HookRecord {
  readonly name: string;
  readonly provider: string;
  readonly channel: ChannelName;
  /** Any of them proves a delivery: several while one takes the place of another. */
  readonly secrets: readonly (string | { readonly secret: string; readonly until?: string | undefined })[];
  readonly verify: VerifySettings;
  /** The event of its messages, or where it is; by default where the provider has it. */
  readonly event?: string | FoundAt | undefined;
  readonly id?: FoundAt | undefined;
  readonly toleranceSeconds?: number | undefined;
  readonly pick?: readonly string[] | undefined;
  readonly text?: string | undefined;
  /** The only events that become messages. */
  readonly events?: readonly string[] | undefined;
  /** Only bodies for which these hold become messages. */
  readonly filter?: readonly Condition[] | undefined;
  /** Whether its messages end the wait of an agent; with conditions, those for whose body these hold. */
  readonly wakes: boolean | readonly Condition[];
  readonly limitBytes: number;
  /** The address that the provider signs, if it is not the one that PUBLIC_URL makes. */
  readonly url?: string | undefined;
  /** The origins that may ask to post CloudEvents; anyone may if it is absent. */
  readonly origins?: readonly string[] | undefined;
}

/** Whether what proves a delivery proves its headers, too: a token does; a signature proves only what it covers. */
export function provesHeaders({ verify: { scheme } }: Pick<HookRecord, "verify">): boolean {
  return scheme === "token" || scheme === "jwt";
}

/** Where something is in a delivery. */
type FoundAt = { readonly header: string } | { readonly pointer: string };

/** Characters of the name of a hook. */
const MAX_NAME = 64;
const NAME = /^[a-z\d](?:[a-z\d_-]*[a-z\d])?$/;
const HEADER = /^[!#$%&'*+.^`|~\w-]+$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;
const MB = 1024 * 1024;
/** Bytes of a delivery, unless the hook says otherwise. */
const LIMIT_BYTES = 256 * 1024;
const MAX_LIST = 100;
const MAX_TEXT = 1000;

const name = z
  .string("use a text")
  .max(MAX_NAME, `use at most ${MAX_NAME} characters`)
  .regex(NAME, "use lower-case letters, digits, - and _, such as github-builds");
const channel = z
  .string("use a channel such as builds")
  .refine((text) => nameProblem(text) === undefined, {
    error: ({ input }) =>
      isServerChannel(String(input)) ? "hub.* is the server's own" : "use a channel such as builds",
  })
  .transform((text) => text as ChannelName);
const header = z
  .string("use the name of a header")
  .regex(HEADER, "use the name of a header such as x-signature")
  .transform((text) => text.toLowerCase());
const pointer = z.string("use a JSON pointer such as /type").superRefine((text, context) => {
  const fault = pointerFault(text);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});
const place = z.union(
  [z.strictObject({ header }), z.strictObject({ pointer })],
  'use {"header": "x-event"} or {"pointer": "/type"}',
);
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], "use a text, a number, true, false or null");
const condition = z
  .strictObject({
    pointer,
    equals: scalar.optional(),
    in: z.array(scalar).max(MAX_LIST).optional(),
    notIn: z.array(scalar).max(MAX_LIST).optional(),
  })
  .refine((one) => ["equals", "in", "notIn"].filter((test) => test in one).length === 1, {
    error: "use a pointer and one of equals, in and notIn",
  });
const conditions = z.array(condition, "use a list of conditions").max(MAX_LIST);
const secretText = z.string("use a text").min(1, "use a secret that is not empty");
const date = z
  .string("use a time such as 2027-01-31T12:00:00Z")
  .refine((text) => DATE.test(text) && !Number.isNaN(Date.parse(text)), "use a time such as 2027-01-31T12:00:00Z");
const secret = z.union(
  [secretText, z.strictObject({ secret: secretText, until: date.optional() })],
  'use a text, or {"secret": "…", "until": "2027-01-31T12:00:00Z"}',
);
const text = z.string("use a text");

const template = text
  .min(1)
  .max(MAX_TEXT, `use at most ${MAX_TEXT} characters`)
  .superRefine((given, context) => {
    for (const [, path = ""] of given.matchAll(/\{(\/[^{}]*)\}/g)) {
      const fault = pointerFault(path);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    }
  });

const verify = z.discriminatedUnion(
  "scheme",
  [
    z.strictObject({
      scheme: z.literal("hmac"),
      header,
      prefix: text.optional(),
      encoding: z.enum(["hex", "base64"], "use hex or base64").optional(),
      algorithm: z.enum(["sha256", "sha1", "sha512"], "use sha256, sha1 or sha512").optional(),
      signed: text.optional(),
      timestampHeader: header.optional(),
    }),
    z.strictObject({ scheme: z.literal("stripe") }),
    z.strictObject({ scheme: z.literal("standard") }),
    z.strictObject({ scheme: z.literal("twilio") }),
    z.strictObject({ scheme: z.literal("ed25519"), header, timestampHeader: header }),
    z.strictObject({ scheme: z.literal("sns"), topics: z.array(text, "use a list of ARNs").max(MAX_LIST) }),
    z.strictObject({
      scheme: z.literal("jwt"),
      issuers: z.array(text, "use a list of issuers").min(1).max(MAX_LIST),
      jwks: z.url("use the URL of a key set"),
      audience: text.min(1, "use what the provider was told to write into its tokens"),
      claims: z.record(z.string(), z.union([z.string(), z.boolean()]), 'use an object such as {"email": "…"}'),
    }),
    z.strictObject({
      scheme: z.literal("token"),
      in: z.enum(["header", "basic", "path"], "use header, basic or path"),
      header: header.optional(),
      prefix: text.optional(),
    }),
  ],
  "use a scheme: hmac, stripe, standard, twilio, ed25519, sns, jwt or token",
);

/** A hook as a file has it, with what its provider adds. */
export const hookSchema: z.ZodType<HookRecord> = z
  .strictObject({
    name,
    provider: z
      .string("use the name of a provider")
      .refine((given) => Object.hasOwn(PROVIDERS, given), `use ${PROVIDER_NAMES.join(", ")}`)
      .default("generic"),
    channel,
    secrets: z.array(secret, 'use a list such as ["${env:HOOK_SECRET}"]').max(10).default([]),
    verify,
    event: z
      .union([text.min(1).max(64), place], 'use a name, {"header": "x-event"} or {"pointer": "/type"}')
      .optional(),
    id: place.optional(),
    toleranceSeconds: z.int("use seconds").min(1, "use at least 1").max(86_400, "use at most 86400").optional(),
    pick: z.array(pointer, "use a list of JSON pointers").min(1, "name at least one").max(MAX_LIST).optional(),
    text: template.optional(),
    events: z.array(text, "use a list of events").max(MAX_LIST).optional(),
    filter: conditions.optional(),
    wakes: z.union([z.boolean(), conditions], "use true, false, or a list of conditions").default(false),
    limitBytes: z
      .int("use bytes")
      .min(1, "use at least 1")
      .max(64 * MB, `use at most ${64 * MB}`)
      .default(LIMIT_BYTES),
    url: z.url("use the address that the provider posts to").optional(),
    origins: z.array(text, "use a list of names such as eventgrid.example").max(MAX_LIST).optional(),
  })
  .refine((one) => one.pick === undefined || one.text === undefined, { error: "use pick or text, not both" })
  .refine((one) => one.provider !== "cloudevents" || one.verify.scheme !== "sns", {
    error: "SNS signs its own notifications and no CloudEvents; use the provider sns",
  });
