import { isObject, keptJson } from "../protocol/json.ts";
import type { BusMessage } from "./bus.ts";

/** A CloudEvent (cloudevents.io, version 1.0): its context attributes and extensions by their names, and its data. */
export interface CloudEvent {
  readonly attributes: Readonly<Record<string, string>>;
  /** The data as bytes; undefined if it has none. */
  readonly body: Uint8Array | undefined;
  readonly contentType: string | undefined;
}

/** The media type of an event whose attributes and data are one JSON document. */
export const STRUCTURED = "application/cloudevents+json";
/** The type of a CloudEvent whose message has the event `message`. */
export const MESSAGE_TYPE = "hub.message";
const utf8 = new TextEncoder();

/**
 * The event in a message of a bus, in binary mode (attributes are headers with one of these prefixes) or in structured
 * mode; undefined if it is not one. Throws an `Error` if it says that it is a structured one and is not.
 */
export function cloudEventIn(message: BusMessage, prefixes: readonly string[]): CloudEvent | undefined {
  const { body, contentType, headers } = message;
  if (contentType?.toLowerCase().startsWith(STRUCTURED) === true) return structuredEvent(body);
  for (const prefix of prefixes) {
    if (headers[`${prefix}specversion`] === undefined) continue;
    const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
    const attributes = Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value]));
    return { attributes, body, contentType };
  }
  return undefined;
}

/** An event in binary mode, as the headers of a message. */
export function binaryHeaders(attributes: CloudEvent["attributes"], prefix: string): Record<string, string> {
  const named = Object.entries({ specversion: "1.0", ...attributes });
  return Object.fromEntries(named.map(([name, value]) => [`${prefix}${name}`, value]));
}

/** An event in structured mode; `data` is JSON text. */
export function structuredBody(attributes: CloudEvent["attributes"], data: string): Uint8Array {
  const head = JSON.stringify({ specversion: "1.0", ...attributes, datacontenttype: "application/json" });
  return utf8.encode(`${head.slice(0, -1)},"data":${data}}`);
}

function structuredEvent(body: Uint8Array | undefined): CloudEvent {
  let event: unknown;
  try {
    event = keptJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new Error(`its content type is ${STRUCTURED}, and it is not JSON`, { cause });
  }
  if (!isObject(event) || event["specversion"] === undefined) {
    throw new Error(`its content type is ${STRUCTURED}, and it has no specversion`);
  }
  const { data, data_base64: base64, datacontenttype, ...rest } = event;
  const attributes = Object.fromEntries(
    Object.entries(rest).flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? [[name, String(value)]]
        : [],
    ),
  );
  const type = typeof datacontenttype === "string" ? datacontenttype : "application/json";
  if (typeof base64 === "string") return { attributes, body: Buffer.from(base64, "base64"), contentType: type };
  if (data === undefined) return { attributes, body: undefined, contentType: undefined };
  // A string is the data itself if its type is not JSON (CloudEvents JSON format, section 3.1).
  const isText = typeof data === "string" && !isJson(type);
  return { attributes, body: utf8.encode(isText ? data : JSON.stringify(data)), contentType: type };
}

/** Whether a media type is that of JSON. */
export function isJson(type: string | undefined): boolean {
  return type === "application/json" || (type !== undefined && /^\s*[^;\s]*[/+]json\s*(?:;|$)/i.test(type));
}
