import type { MsgHdrs } from "@nats-io/transport-node";
import type { BusMessage } from "../../bus.ts";

/** What the attributes of a CloudEvent are called: `ce-id` (NATS protocol binding, section 3.1.3.1). */
export const PREFIX = "ce-";
const CONTENT_TYPE = "content-type";
/** What is not sent as it is in an attribute: all but the printable characters of ASCII, and some of those. */
const ENCODED = /[^!-~]|["%]/gu;
const utf8 = new TextEncoder();

/**
 * The headers of a message of NATS, and its content type. Attributes of CloudEvents have names in lower case here, and
 * values that are not percent-encoded.
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

/** Adds the headers of a message to those that it is sent with. Throws if a name or a value cannot be sent. */
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

/** A value that is in quotes, and then whatever is percent-encoded in it; as it is if that is no UTF-8. */
function decoded(value: string): string {
  if (!/["%]/.test(value)) return value;
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
  try {
    return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => decodeURIComponent(bytes));
  } catch {
    return text;
  }
}
