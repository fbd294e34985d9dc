import { Stored } from "./stored.ts";

let reader: string | undefined;

/** The id that the connections and announcements of this browser have: tabs with the same one share a connection. */
export function readerOfBrowser(): string {
  if (reader !== undefined) return reader;
  const stored = new Stored<string>("reader", (value) => (typeof value === "string" ? value : ""));
  const known = stored.get();
  reader = /^[\w-]{1,64}$/.test(known) ? known : newReader();
  if (reader !== known) stored.set(reader);
  return reader;
}

function newReader(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("");
}
