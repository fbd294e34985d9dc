import { isUtf8 } from "node:buffer";
import { HubError } from "../../core/errors.ts";
import { MAX_DATA_DEPTH } from "../../core/message.ts";
import { isJsonMedia, isObject, JsonFault, parseJson } from "../../protocol/json.ts";
import type { Delivery } from "./delivery.ts";

const SUBJECT = "The body";
const FORM_TYPE = "application/x-www-form-urlencoded";
/** The field of a form in which GitHub and Slack send JSON. */
const PAYLOAD = "payload";
/** How a field of a form begins. */
const FIELD = /^[\w.~*+%[\]-]+=/;

/**
 * What the body of a verified delivery says: JSON as it is, a form as an object of its fields, anything else as text, or
 * as JSON if it is that. Throws `INVALID_DELIVERY` for what is neither. A type that is not proved decides nothing: whoever
 * sends the delivery again could choose another one.
 */
export function bodyValue({ body, type }: Delivery, isTypeProved: boolean): unknown {
  const media = mediaOf(type);
  if (!isUtf8(body)) throw new HubError("INVALID_DELIVERY", "The body is not UTF-8; a hook takes JSON, forms and text");
  const text = body.toString().replace(/^\uFEFF/, "");
  if (!isTypeProved) return valueIn(text, media);
  if (media === FORM_TYPE) return formValue(text);
  if (isJsonMedia(media)) return jsonOf(text);
  // SNS sends JSON as text/plain, and others without a type.
  if (/^\s*[[{]/.test(text)) {
    try {
      return parseJson(text, SUBJECT, MAX_DATA_DEPTH);
    } catch {
      return text;
    }
  }
  return text;
}

export function mediaOf(type: string): string {
  return type.replace(/;.*/s, "").trim().toLowerCase();
}

/** What the bytes are by themselves. The type can only have them refused, if they are not the JSON that it says. */
function valueIn(text: string, media: string): unknown {
  try {
    return parseJson(text, SUBJECT, MAX_DATA_DEPTH);
  } catch (cause) {
    // JSON that is refused, such as for a name it has twice, must not pass as text.
    const isJson = isJsonMedia(media) || (cause instanceof JsonFault && cause.value !== undefined);
    if (isJson) throw invalid(cause);
    return isForm(text) ? formValue(text) : text;
  }
}

/** Whether a text is written as forms are: encoded, and so without spaces, which hardly any other text is. */
function isForm(text: string): boolean {
  return !/\s/.test(text) && text.split("&").every((field) => FIELD.test(field));
}

export function jsonOf(text: string): unknown {
  try {
    return parseJson(text, SUBJECT, MAX_DATA_DEPTH);
  } catch (cause) {
    throw invalid(cause);
  }
}

function invalid(cause: unknown): unknown {
  return cause instanceof JsonFault ? new HubError("INVALID_DELIVERY", cause.message, { cause }) : cause;
}

function formValue(text: string): unknown {
  const form = new URLSearchParams(text);
  const names = [...new Set(form.keys())];
  const payload = form.get(PAYLOAD);
  if (names.length === 1 && payload !== null && payload.startsWith("{")) return jsonOf(payload);
  return Object.fromEntries(
    names.map((name) => {
      const values = form.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

/** A body in which JSON that the provider sends as text or Base64 is parsed, so that pointers reach into it. */
export function unwrapped(provider: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  if (provider === "sns") return { ...value, Message: parsedOr(value["Message"]) };
  const message = value["message"];
  if (provider !== "pubsub" || !isObject(message) || typeof message["data"] !== "string") return value;
  const bytes = Buffer.from(message["data"], "base64");
  return isUtf8(bytes) ? { ...value, message: { ...message, data: parsedOr(bytes.toString()) } } : value;
}

/** The object or array in a text of JSON, or else the value itself. */
function parsedOr(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseJson(value, "it", MAX_DATA_DEPTH);
  } catch {
    return value;
  }
}
