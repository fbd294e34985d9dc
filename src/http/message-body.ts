import { isUtf8 } from "node:buffer";
import { HubError } from "../core/errors.ts";
import { MAX_DATA_DEPTH } from "../core/message.ts";
import { isJsonMedia } from "../protocol/json.ts";
import { bodyText, parsedBody, type SentBody } from "./json-body.ts";

const CHARSET = /;\s*charset\s*=/i;
/** Text, the type that `curl -d` gives to any text, and no type: what is not UTF-8 may be text all the same. */
const TEXT_TYPE = /^(?:text\/|application\/x-www-form-urlencoded$|$)/;
const MULTIPART = /^multipart\//;

/** Whether a Content-Type is one of JSON. */
export function isJsonType(type: string): boolean {
  return isJsonMedia(type.replace(/;.*/s, "").trim().toLowerCase());
}

/**
 * What the body of a publication says: a value if its media type is a JSON type, and otherwise text, whatever the type.
 * Throws `INVALID_JSON`, `INVALID_MESSAGE` or `UNSUPPORTED_MEDIA_TYPE`.
 */
export function dataIn(body: SentBody | null): unknown {
  const { bytes, type } = body ?? { bytes: Buffer.of(), type: "" };
  if (type === "" && bytes.length === 0) {
    throw new HubError("INVALID_MESSAGE", "data is missing; send it as the body: text, or JSON as application/json");
  }
  const media = type === "application/json" ? type : type.replace(/;.*/s, "").trim().toLowerCase();
  if (isJsonMedia(media)) {
    return parsedBody(bodyText(body, "INVALID_JSON"), "INVALID_MESSAGE", "data", MAX_DATA_DEPTH);
  }
  if (MULTIPART.test(media)) {
    const sentence =
      "A body with several parts is not one message; send the content itself, as curl does with --data-binary @FILE, not with --form";
    throw new HubError("UNSUPPORTED_MEDIA_TYPE", sentence);
  }
  if (!TEXT_TYPE.test(media) && !CHARSET.test(type) && !isUtf8(bytes)) {
    const sentence =
      "The body is not UTF-8, and a message is text or JSON; send binary data as base64, or name the charset of text in Content-Type";
    throw new HubError("INVALID_MESSAGE", sentence);
  }
  return bodyText(body, "INVALID_MESSAGE");
}
