import type { Received } from "../../bus.ts";
import type { RedisIn } from "./rules.ts";

/** An entry of a stream; without fields if it was deleted after it was delivered. */
export type Entry = [id: Buffer, fields: Buffer[] | null];

/** The fields of an entry that have the content type and the key. */
export const CONTENT_TYPE = "content-type";
export const KEY = "key";

/** An entry as bridges read it: one field is the payload, the others are headers. */
export function receivedOf([id, fields]: Entry, { stream, body }: RedisIn): Received {
  const position = `${stream}/${id.toString()}`;
  const headers: Record<string, string> = {};
  let payload: Buffer | undefined;
  for (let at = 0; at + 1 < (fields?.length ?? 0); at += 2) {
    const [name, value] = [String(fields?.[at]), fields?.[at + 1] as Buffer];
    if (name === body) payload = value;
    else headers[name] = value.toString();
  }
  // Without that field, all fields are the payload.
  if (payload === undefined && fields !== null) {
    const all = Buffer.from(JSON.stringify(headers));
    return { body: all, headers: {}, contentType: "application/json", names: { stream }, position };
  }
  const { [CONTENT_TYPE]: contentType, [KEY]: key, ...rest } = headers;
  return {
    body: payload,
    headers: rest,
    contentType,
    key,
    names: { stream },
    position,
  };
}
