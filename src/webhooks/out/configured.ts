import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../../core/errors.ts";
import { isServerChannel, patternProblem, type ChannelPattern } from "../../protocol/channel.ts";
import { EARLIEST } from "../../protocol/cursor.ts";
import { isObject } from "../../protocol/json.ts";
import { expandAllSecrets, jsonFileFault } from "../../setting-secrets.ts";
import type { AddressRules } from "./address-rules.ts";
import { secretProblem } from "./signature.ts";
import { FORMATS, MAX_ALL, MAX_CHANNELS, eventsProblem, urlProblem, type ConfiguredWebhook } from "./webhook.ts";

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const FIELDS = ["name", "url", "channels", "secret", "events", "format", "after"];

/** The webhooks in a file that `WEBHOOKS_FILE` names; throws a `ConfigError` whose sentence names the field. */
export function readWebhooks(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  rules: AddressRules,
): readonly ConfiguredWebhook[] {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(
      `WEBHOOKS_FILE is ${JSON.stringify(path)}, which cannot be read as JSON: ${jsonFileFault(cause)}`,
      { cause },
    );
  }
  const list = isObject(file) ? file["webhooks"] : undefined;
  if (!Array.isArray(list)) throw new ConfigError(`${path} is not an object such as {"webhooks": []}`);
  if (list.length > MAX_ALL)
    throw new ConfigError(`${path} has ${list.length} webhooks; at most ${MAX_ALL} are allowed`);
  const names = new Set<string>();
  return list.map((given: unknown, index) => {
    const place = `webhooks[${index}]`;
    const fail = (field: string, problem: string): never => {
      throw new ConfigError(`${path}: ${place}${field === "" ? "" : `.${field}`}: ${problem}`);
    };
    const webhook = webhookIn(expandAllSecrets(given, place, environment), rules, fail);
    if (names.has(webhook.id)) fail("name", `${JSON.stringify(webhook.id)} is there twice; give each its own`);
    names.add(webhook.id);
    return webhook;
  });
}

function webhookIn(
  given: unknown,
  rules: AddressRules,
  fail: (field: string, problem: string) => never,
): ConfiguredWebhook {
  if (!isObject(given)) return fail("", 'use an object such as {"name": "billing", "url": "https://…", …}');
  const unknown = Object.keys(given).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) fail(unknown, `there is no such field; use ${FIELDS.join(", ")}`);
  const { name, url, channels, secret, events = [], format = "json", after } = given;
  if (typeof name !== "string" || !NAME.test(name)) {
    return fail("name", "use at most 32 lower-case letters, digits and -, such as billing");
  }
  const wrong = typeof url === "string" ? urlProblem(url, rules) : "use a URL such as https://example.com/webhooks";
  if (wrong !== undefined) fail("url", wrong);
  const bad = typeof secret === "string" ? secretProblem(secret) : 'use a secret such as "${env:BILLING_SECRET}"';
  if (bad !== undefined) fail("secret", bad);
  const texts = z.array(z.string()).min(1).max(MAX_CHANNELS).safeParse(channels);
  if (!texts.success) return fail("channels", `use a list of at most ${MAX_CHANNELS}, such as ["orders.*"]`);
  for (const [index, channel] of texts.data.entries()) {
    const problem = isServerChannel(channel) ? "the server's own channels are not sent" : patternProblem(channel);
    if (problem !== undefined) fail(`channels[${index}]`, problem);
  }
  const named = z.array(z.string()).safeParse(events);
  if (!named.success) return fail("events", 'use a list of names, such as ["order"]');
  const tooMuch = eventsProblem(named.data);
  if (tooMuch !== undefined) fail("events", `it${tooMuch}`);
  const known = z.enum(FORMATS).safeParse(format);
  if (!known.success) return fail("format", `use ${FORMATS.join(" or ")}`);
  if (after !== undefined && after !== EARLIEST) fail("after", `use ${EARLIEST}, or leave it out to begin now`);
  return {
    id: name,
    url: url as string,
    channels: texts.data as ChannelPattern[],
    events: named.data,
    format: known.data,
    secrets: [{ secret: secret as string }],
    after,
  };
}
