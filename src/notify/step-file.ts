import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../core/errors.ts";
import { isServerChannel, patternProblem, type ChannelPattern } from "../protocol/channel.ts";
import type { Urgency } from "../protocol/question.ts";
import { expandAllSecrets, jsonFileFault } from "../setting-secrets.ts";
import type { AddressRules } from "../webhooks/out/address-rules.ts";
import { urlProblem } from "../webhooks/out/webhook.ts";
import { topicOf } from "./ntfy.ts";

/** A step in which people are told of questions beside their channel, as `NOTIFY_FILE` has it, checked. */
export interface ConfiguredStep {
  readonly name: string;
  /** The questions of these channels. */
  readonly channels: readonly ChannelPattern[];
  /** The least urgency of a question. */
  readonly urgency: Urgency;
  /** How long a question has to be open. */
  readonly afterSeconds: number;
  /** The name in which links answer; undefined if only the page takes answers. */
  readonly answerAs?: string | undefined;
  readonly ntfy?: { readonly url: string; readonly token?: string | undefined } | undefined;
  readonly slack?:
    | {
        readonly url?: string | undefined;
        readonly token?: string | undefined;
        readonly channel?: string | undefined;
        readonly api?: string | undefined;
      }
    | undefined;
  /** `contact` is where push services reach the operator; `PUBLIC_URL` unless given. */
  readonly webPush?: { readonly contact?: string | undefined } | undefined;
}

/** Steps, and channels of one of them, at most. */
const MAX_STEPS = 50;
const MAX_CHANNELS = 100;
const WEEK = 7 * 86_400;
const USE_CHANNELS = `use a list of 1 to ${MAX_CHANNELS}, such as ["ops.*"]`;
const USE_SECONDS = `use whole seconds, at most ${WEEK}`;
const WAYS = ["ntfy", "slack", "webPush"] as const;

/** The steps in a file that `NOTIFY_FILE` names; throws a `ConfigError` whose sentence names the field. */
export function readSteps(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  rules: AddressRules,
): readonly ConfiguredStep[] {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const sentence = `NOTIFY_FILE is ${JSON.stringify(path)}, which cannot be read as JSON: ${jsonFileFault(cause)}`;
    throw new ConfigError(sentence, { cause });
  }
  const fault = (at: string, sentence: string): never => {
    throw new ConfigError(`${path}: ${at}${at === "" ? "" : ": "}${sentence}`);
  };
  const list = z.strictObject({ steps: z.array(z.unknown()).min(1).max(MAX_STEPS) }).safeParse(file);
  if (!list.success) return fault("", `it is not an object such as {"steps": […]}, with 1 to ${MAX_STEPS} steps`);
  const names = new Set<string>();
  return list.data.steps.map((given, index) => {
    const at = `steps[${index}]`;
    const read = schemaOf(rules).safeParse(expandAllSecrets(given, at, environment));
    if (!read.success) return fault(...placeOf(at, read.error.issues));
    const { name } = read.data;
    if (names.has(name)) fault(`${at}.name`, `${JSON.stringify(name)} is there twice; give each its own`);
    names.add(name);
    return read.data as unknown as ConfiguredStep;
  });
}

function schemaOf(rules: AddressRules) {
  const url = z.string("use a URL").superRefine((text, context) => {
    const problem = urlProblem(text, rules);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  });
  const secret = z.string("use a text").regex(/^[\x21-\x7e]{1,500}$/, "use a token such as ${env:NTFY_TOKEN}");
  const topic = url.refine(
    (text) => topicOf(text) !== undefined,
    "use that of a topic, such as https://ntfy.sh/on-call",
  );
  const ntfy = z.strictObject({ url: topic, token: secret.optional() });
  const slack = z
    .strictObject({
      url: url.optional(),
      token: secret.optional(),
      channel: z
        .string()
        .regex(/^[#\w-]{1,80}$/, "use the id of a channel, such as C0123456789")
        .optional(),
      api: url.endsWith("/", "use a URL that ends with /, such as https://slack-gov.com/api/").optional(),
    })
    .refine(
      ({ url: webhook, token, channel }) =>
        webhook === undefined
          ? token !== undefined && channel !== undefined
          : token === undefined && channel === undefined,
      "give url, of an incoming webhook; or token, of a bot, and channel",
    );
  const contact = z
    .string("use a text")
    .regex(/^(?:mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/, "use mailto: and an address, or an https URL")
    .optional();
  const channel = z.string("use a channel or a pattern").superRefine((text, context) => {
    const problem = isServerChannel(text)
      ? "no questions are asked on the server's own channels"
      : patternProblem(text);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  });
  return z
    .strictObject({
      name: z
        .string("use a name")
        .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "use at most 32 lower-case letters, digits and -"),
      channels: z.array(channel, USE_CHANNELS).min(1, USE_CHANNELS).max(MAX_CHANNELS, USE_CHANNELS),
      urgency: z.enum(["low", "normal", "high"], "use low, normal or high").default("low"),
      afterSeconds: z.int(USE_SECONDS).min(0, USE_SECONDS).max(WEEK, USE_SECONDS).default(0),
      answerAs: z
        .string("use a name")
        .regex(/^[^\p{Cc}]{1,128}$/u, "use a name of 1 to 128 characters on one line")
        .optional(),
      ntfy: ntfy.optional(),
      slack: slack.optional(),
      webPush: z.strictObject({ contact }).optional(),
    })
    .refine((step) => WAYS.filter((way) => step[way] !== undefined).length === 1, `give one of ${WAYS.join(", ")}`)
    .refine(({ webPush, answerAs }) => webPush === undefined || answerAs === undefined, {
      path: ["answerAs"],
      message: "leave it out: whoever is told by webPush answers in the chat",
    });
}

/** Where the first problem is, and what it says. */
function placeOf(at: string, issues: readonly z.core.$ZodIssue[]): [string, string] {
  // An unknown field first: it may be the misspelled name of a missing one.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  const path = (issue?.path ?? []).map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  if (issue?.code !== "unrecognized_keys") return [`${at}${path.join("")}`, issue?.message ?? "it is wrong"];
  return [`${at}${path.join("")}.${issue.keys[0]}`, "there is no such field"];
}
