import { nameProblem } from "../../protocol/channel.ts";

/** What the dashboard shows: everything, or one channel or connection. */
export type Place =
  | { readonly kind: "overview" }
  | { readonly kind: "channel"; readonly name: string }
  | { readonly kind: "connection"; readonly name: string };

/** Where the dashboard begins. */
export const OVERVIEW: Place = { kind: "overview" };
/** Characters of the id of a connection. */
const MAX_ID = 64;

/** The address of a channel or a connection on this page. */
export function linkTo(kind: "channel" | "connection", name: string): string {
  return `#${kind}/${encodeURIComponent(name)}`;
}

/** The place that a fragment names; undefined if it names something within what is shown. */
export function placeIn(hash: string): Place | undefined {
  if (hash === "" || hash === "#") return OVERVIEW;
  const [, kind = "", encoded = ""] = /^#(channel|connection)\/(.+)$/.exec(hash) ?? [];
  if (kind === "") return undefined;
  let name: string;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    return OVERVIEW;
  }
  if (kind === "channel") return nameProblem(name) === undefined ? { kind, name } : OVERVIEW;
  return name.length <= MAX_ID && /^[\w-]+$/.test(name) ? { kind: "connection", name } : OVERVIEW;
}
