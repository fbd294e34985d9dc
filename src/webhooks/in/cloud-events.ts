import { isUtf8 } from "node:buffer";
import { HubError } from "../../core/errors.ts";
import { isObject } from "../../protocol/json.ts";
import { bodyValue, jsonOf, mediaOf } from "./body.ts";
import { headerOf, type Delivery } from "./delivery.ts";

const STRUCTURED = /^application\/cloudevents\+json$/;
const BATCH = /^application\/cloudevents-batch\+json$/;
const PREFIX = "ce-";
/** Events of one batch. */
const MAX_EVENTS = 100;

/**
 * The CloudEvents of a delivery as JSON, in whichever of the three modes of HTTP it came; binary mode needs headers that
 * are proved. Throws `INVALID_DELIVERY`.
 */
export function cloudEvents(
  delivery: Delivery,
  areHeadersProved: boolean,
): readonly Readonly<Record<string, unknown>>[] {
  const media = mediaOf(delivery.type);
  if (BATCH.test(media)) {
    const batch = jsonOf(textOf(delivery.body));
    if (!Array.isArray(batch) || batch.length > MAX_EVENTS) {
      throw new HubError("INVALID_DELIVERY", `The body is not a list of at most ${MAX_EVENTS} CloudEvents`);
    }
    return batch.map((event, index) => checked(event, `the event ${index}`));
  }
  if (STRUCTURED.test(media)) return [checked(jsonOf(textOf(delivery.body)), "the body")];
  if (!areHeadersProved) {
    throw new HubError(
      "INVALID_DELIVERY",
      "The signature does not cover headers, and so no CloudEvent in binary mode; send application/cloudevents+json",
    );
  }
  return [checked(binary(delivery, media), "the event in its headers")];
}

/** By which an event that comes again is known (CloudEvents 1.0, "id"). */
export function cloudEventId({ source, id }: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([source, id]);
}

/** Attributes in headers, and data as the body. */
function binary(delivery: Delivery, media: string): Readonly<Record<string, unknown>> {
  const attributes: [string, unknown][] = [];
  for (const name of Object.keys(delivery.headers)) {
    if (!name.startsWith(PREFIX)) continue;
    const value = headerOf(delivery, name);
    // Values are percent-encoded where they are not printable ASCII (HTTP protocol binding, section 3.1.3.2).
    if (value !== undefined) attributes.push([name.slice(PREFIX.length), decoded(value)]);
  }
  const { body } = delivery;
  if (media !== "") attributes.push(["datacontenttype", delivery.type]);
  if (body.length > 0)
    attributes.push(isUtf8(body) ? ["data", bodyValue(delivery, true)] : ["data_base64", body.toString("base64")]);
  return Object.fromEntries(attributes);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function checked(event: unknown, subject: string): Readonly<Record<string, unknown>> {
  if (isObject(event)) {
    const { specversion, id, source, type } = event;
    const texts = [id, source, type].every((text) => typeof text === "string" && text !== "");
    if (specversion === "1.0" && texts) return event;
  }
  throw new HubError("INVALID_DELIVERY", `${subject} is not a CloudEvent 1.0 with id, source and type`);
}

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new HubError("INVALID_DELIVERY", "The body is not UTF-8");
  return body.toString();
}
