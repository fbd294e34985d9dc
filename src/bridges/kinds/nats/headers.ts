import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import type { BusMessage } from "../../bus.ts";
import { heldBytes } from "../../held-bytes.ts";

/** What the attributes of a CloudEvent are called: `ce-id` (NATS protocol binding, section 3.1.3.1). */
export const PREFIX = "ce-";
const CONTENT_TYPE = "content-type";
/** What is percent-encoded in an attribute: all but printable ASCII, and the quote and percent signs. */
const ENCODED = /[^!-~]|["%]/gu;
const utf8 = new TextEncoder();

/**
 * The headers of a message of NATS, and its content type. The names of CloudEvents attributes are put into lower case,
 * and their values are decoded.
 */
export function headersOf(headers: MsgHdrs | undefined): Pick<BusMessage, "headers" | "contentType"> {
  const named: Record<string, string> = {};
  let contentType: string | undefined;
  for (const [name, values] of headers ?? []) {
    const lower = name.toLowerCase();
    const value = values.join(", ");
    if (lower === CONTENT_TYPE) contentType = value;
    else if (lower.startsWith(PREFIX)) named[lower] = decoded(value);
    else named[name] = value;
  }
  return { headers: named, contentType: contentType ?? named[`${PREFIX}datacontenttype`] };
}

/** About how many bytes a message takes. */
export function heldBytesOf({ data, headers, subject }: Pick<Msg, "data" | "headers" | "subject">): number {
  let bytes = data.length + subject.length;
  let texts = 0;
  for (const [name, values] of headers ?? []) {
    bytes += name.length;
    for (const value of values) bytes += value.length;
    texts += 1 + values.length;
  }
  return heldBytes(bytes, texts);
}

/** Adds the headers of a message to those of the driver. Throws if a name or a value cannot be sent. */
export function addHeaders({ headers, contentType }: BusMessage, to: MsgHdrs): void {
  for (const [name, value] of Object.entries(headers)) {
    to.append(name, name.startsWith(PREFIX) ? encoded(value) : value);
  }
  if (contentType === undefined) return;
  to.append("Content-Type", contentType);
  if (headers[`${PREFIX}specversion`] !== undefined) to.append(`${PREFIX}datacontenttype`, contentType);
}

function encoded(value: string): string {
  return value
    .toWellFormed()
    .replaceAll(ENCODED, (character) =>
      [...utf8.encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
    );
}

/** A value without the quotes around it, percent-decoded; not decoded if the result is not UTF-8. */
function decoded(value: string): string {
  if (!/["%]/.test(value)) return value;
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
  try {
    return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => decodeURIComponent(bytes));
  } catch {
    return text;
  }
}
