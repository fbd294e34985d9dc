import { isReaderId } from "../../protocol/participant.ts";
import { Stored } from "./stored.ts";

let reader: string | undefined;

/** The id that the connections and announcements of this browser have: tabs with the same one share a connection. */
export function readerOfBrowser(): string {
  if (reader !== undefined) return reader;
  const stored = new Stored("reader", (value) => (isReaderId(value) ? value : newReader()));
  reader = stored.get();
  stored.set(reader);
  return reader;
}

function newReader(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("");
}
