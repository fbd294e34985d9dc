import { randomBytes } from "node:crypto";
import { isObject } from "../../protocol/json.ts";
import type { Secret } from "./delivery.ts";
import type { HookRecord } from "./hook-record.ts";
import { pointer, valueAt, type Pointer } from "./pointer.ts";
import { providerOf, type Place } from "./providers.ts";
import { Hmac } from "./schemes/hmac.ts";
import { Standard } from "./schemes/standard.ts";
import { Stripe } from "./schemes/stripe.ts";
import { Token } from "./schemes/token.ts";
import { Twilio } from "./schemes/twilio.ts";

/** A delivery to try a hook with, signed as its provider signs. */
export interface Sample {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TEXT = "Sent by sse-mcp-server hook test";
const EVENT = "test";

/**
 * A delivery that a hook takes: signed with its first secret, for the address it is posted to, and such that it passes
 * the filters of the hook as far as they say what would. Undefined if only the provider can sign.
 */
export function sampleFor(
  record: HookRecord,
  [secret]: readonly Secret[],
  url: string,
  now: number,
): Sample | undefined {
  const { verify } = record;
  const id = `test-${randomBytes(8).toString("hex")}`;
  const headers: Record<string, string> = {};
  const body: Record<string, unknown> = { text: TEXT };
  if (record.provider === "cloudevents") {
    const event = { specversion: "1.0", id, source: "sse-mcp-server", type: record.events?.[0] ?? EVENT, data: body };
    return signed(
      record,
      secret,
      { headers: { "content-type": "application/cloudevents+json" }, body: event },
      { id, url, now },
    );
  }
  const known = providerOf(record);
  const put = (place: Place | undefined, value: unknown): void => {
    if (place === undefined) return;
    if (place === "body" || place === "event and body") body["id"] = value;
    else if ("header" in place) headers[place.header] = String(value);
    else setAt(body, pointer(place.pointer), value);
  };
  put(typeof record.event === "object" ? record.event : known.event?.[0], record.events?.[0] ?? EVENT);
  put(record.id ?? known.id?.[0], id);
  if (known.timestamp !== undefined) put(known.timestamp, known.timestamp.unit === "ms" ? now : Math.floor(now / 1000));
  // What the hook picks of a body is there, so that the message shows its shape.
  for (const path of record.pick ?? []) {
    if (valueAt(body, pointer(path)) === undefined) setAt(body, pointer(path), EVENT);
  }
  for (const { pointer: path, equals, in: some } of record.filter ?? []) {
    const value = equals ?? some?.[0];
    if (value !== undefined) setAt(body, pointer(path), value);
  }
  const isForm = verify.scheme === "twilio";
  headers["content-type"] = isForm ? "application/x-www-form-urlencoded" : "application/json";
  return signed(record, secret, { headers, body }, { id, url, now });
}

function signed(
  { verify }: HookRecord,
  secret: Secret | undefined,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: object },
  { id, url, now }: { readonly id: string; readonly url: string; readonly now: number },
): Sample | undefined {
  if (secret === undefined) return undefined;
  const { text } = secret;
  const seconds = String(Math.floor(now / 1000));
  const json = JSON.stringify(body);
  const bytes = Buffer.from(json);
  const withSignature = (signature: Readonly<Record<string, string>>): Sample => ({
    headers: { ...headers, ...signature },
    body: json,
  });
  switch (verify.scheme) {
    case "hmac":
      return withSignature(new Hmac(verify, [secret]).sign(bytes, seconds, text));
    case "stripe":
      return withSignature(new Stripe(verify, [secret]).sign(bytes, seconds, text));
    case "standard":
      return text.startsWith("whpk_")
        ? undefined
        : withSignature(new Standard(verify, [secret]).sign(bytes, seconds, text, id));
    case "token":
      return withSignature(new Token(verify, [secret]).sign(text));
    case "twilio": {
      const form = new URLSearchParams(
        Object.entries(body).map(([name, value]): [string, string] => [name, String(value)]),
      ).toString();
      const signature = new Twilio(verify, [secret]).sign(Buffer.from(form), url, text);
      return { headers: { ...headers, ...signature }, body: form };
    }
    default:
      return undefined;
  }
}

/** Sets a member of an object, which gets the objects on the way to it. */
function setAt(value: Record<string, unknown>, [name = "", ...rest]: Pointer, member: unknown): void {
  if (rest.length === 0) {
    value[name] = member;
    return;
  }
  const inner = isObject(value[name]) ? { ...value[name] } : {};
  value[name] = inner;
  setAt(inner, rest, member);
}
