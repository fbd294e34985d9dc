import { isUtf8 } from "node:buffer";
import { HubError } from "../../core/errors.ts";
import { MAX_DATA_DEPTH } from "../../core/message.ts";
import { isJsonMedia, isObject, JsonFault, parseJson } from "../../protocol/json.ts";
import type { Delivery } from "./delivery.ts";

const FORM_TYPE = "application/x-www-form-urlencoded";
/** The field of a form in which GitHub and Slack send JSON. */
const PAYLOAD = "payload";

/**
 * What the body of a verified delivery says: JSON as it is, a form as an object of its fields, anything else as text, or
 * as JSON if it is that. Throws `INVALID_DELIVERY` for what is neither.
 */
export function bodyValue({ body, type }: Delivery): unknown {
  const media = mediaOf(type);
  if (!isUtf8(body)) throw new HubError("INVALID_DELIVERY", "The body is not UTF-8; a hook takes JSON, forms and text");
  const text = body.toString().replace(/^\uFEFF/, "");
  if (media === FORM_TYPE) return formValue(text);
  if (isJsonMedia(media)) return jsonOf(text);
  // SNS sends JSON as text/plain, and others without a type.
  if (/^\s*[[{]/.test(text)) {
    try {
      return parseJson(text, "The body", MAX_DATA_DEPTH);
    } catch {
      return text;
    }
  }
  return text;
}

export function mediaOf(type: string): string {
  return type.replace(/;.*/s, "").trim().toLowerCase();
}

export function jsonOf(text: string): unknown {
  try {
    return parseJson(text, "The body", MAX_DATA_DEPTH);
  } catch (cause) {
    if (cause instanceof JsonFault) throw new HubError("INVALID_DELIVERY", cause.message, { cause });
    throw cause;
  }
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
