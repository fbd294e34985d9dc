import { z } from "zod";
import type { Hub } from "../core/hub.ts";
import type { History } from "../core/history.ts";
import type { Principal } from "../core/principal.ts";
import { markedPage, messageLine, messagePage, newNonce, type MessagePage, type PageMessage } from "./results.ts";

const LEAST = 1000;
/** Bytes that the text of a page has besides its messages. */
const OVERHEAD = 500;
/** As long as any. */
const NONCE = newNonce();

/** The field of an input that bounds the size of a page. */
export const maxBytes: z.ZodOptional<z.ZodNumber> = z.number().min(LEAST).optional().describe("Answer size at most");

/**
 * A page of history whose text takes at most so many bytes, and whose messages take no more as JSON: it ends before the
 * message that would exceed that. If that is the first, the message is cut, and says how to read it whole.
 */
export function boundedPage(history: History, hub: Hub, reader: Principal, most: number | undefined): MessagePage {
  const page = markedPage(
    messagePage(history, (message) => hub.idOf(message)),
    reader,
  );
  if (most === undefined) return page;
  const room = most - OVERHEAD;
  let bytes = 0;
  const fitting = page.messages.findIndex((message) => (bytes += bytesOf(message, reader)) > room);
  if (fitting === -1) return page;
  const count = Math.max(fitting, 1);
  const last = history.messages[count - 1];
  const messages = page.messages.slice(0, count);
  const [first] = messages;
  if (fitting === 0 && first !== undefined && last !== undefined) {
    messages[0] = cutMessage(first, hub.cursor(last.offset - 1), room, reader);
  }
  const isAll = count === page.messages.length;
  return { ...page, messages, ...(isAll || last === undefined ? {} : { next: hub.cursor(last.offset), more: true }) };
}

/** What a message adds to a page, as text or as JSON. */
function bytesOf(message: PageMessage, reader: Principal): number {
  const line = messageLine(message, reader, NONCE);
  return Math.max(Buffer.byteLength(JSON.stringify(message)), Buffer.byteLength(line)) + 1;
}

/** A message with the beginning of its text, or of its JSON, so that it takes at most so many bytes. */
function cutMessage(message: PageMessage, after: string, most: number, reader: Principal): PageMessage {
  const text = typeof message.data === "string" ? message.data : JSON.stringify(message.data);
  const all = Buffer.byteLength(text);
  const how = `read_messages with channel ${message.channel}, after ${after}, limit 1 and no maxBytes gives it whole`;
  const cut = (length: number): PageMessage => {
    const data = text.slice(0, length).toWellFormed();
    return { ...message, data, cut: `${all - Buffer.byteLength(data)} of ${all} bytes left out; ${how}` };
  };
  // Escapes take up to six bytes for a character, so the length is searched for.
  let [fits, exceeds] = [0, Math.min(text.length, most) + 1];
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if (bytesOf(cut(middle), reader) <= most) fits = middle;
    else exceeds = middle;
  }
  return cut(fits);
}
