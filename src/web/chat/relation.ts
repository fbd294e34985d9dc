// Messages about messages: replies, edits, deletions and reactions, as people and agents publish them.
import type { Message } from "../../client/index.ts";
import { offsetOf, parseCursor } from "../../protocol/cursor.ts";
import { filesIn } from "./files.ts";

/** What a message says of an earlier one, whose id is the target. */
export type Relation =
  | { readonly kind: "reply" | "edit"; readonly target: string; readonly text: string }
  | { readonly kind: "delete"; readonly target: string }
  | { readonly kind: "reaction"; readonly target: string; readonly emoji: string; readonly removed: boolean };

/** Families, skin tones and flags of regions are long. */
const MAX_EMOJI = 40;
const PICTURE = /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3/u;
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Fields of each kind; with others, a message is not what it seems to be, and is shown whole. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  reply: ["target", "text"],
  edit: ["target", "text"],
  delete: ["target"],
  reaction: ["target", "emoji", "removed"],
};

/** What a message says of another; undefined if its event is another one, or its data has another shape. */
export function relationOf({ id, event, data }: Message): Relation | undefined {
  const fields = FIELDS[event];
  if (fields === undefined || !Object.hasOwn(FIELDS, event) || id === null || !isRecord(data)) return undefined;
  if (!Object.keys(data).every((name) => fields.includes(name))) return undefined;
  const { target, text, emoji, removed } = data;
  if (typeof target !== "string" || parseCursor(target) === undefined || offsetOf(target) >= offsetOf(id)) {
    return undefined;
  }
  if (event === "delete") return { kind: "delete", target };
  if (event === "reaction") {
    if (typeof emoji !== "string" || !isEmoji(emoji) || (removed !== undefined && removed !== true)) return undefined;
    return { kind: "reaction", target, emoji, removed: removed === true };
  }
  return typeof text === "string" ? { kind: event as "reply" | "edit", target, text } : undefined;
}

/** Whether a text is one emoji and nothing else. */
export function isEmoji(text: string): boolean {
  return text.length <= MAX_EMOJI && PICTURE.test(text) && [...GRAPHEMES.segment(text)].length === 1;
}

/** Whether a message is a line of its own, or about one: not a mark on one, such as a reaction. */
export function isSaid(message: Message): boolean {
  const kind = relationOf(message)?.kind;
  return kind === undefined || kind === "reply";
}

/** The text that a message says; empty if it says none. */
export function textIn(message: Message): string {
  const relation = relationOf(message);
  if (relation?.kind === "reply" || relation?.kind === "edit") return relation.text;
  return typeof message.data === "string" ? message.data : (filesIn(message.data)?.text ?? "");
}

/** Who sent a message, as far as the server can tell: what may change it has to be the same. */
export function identityOf({ sender, verified, via }: Pick<Message, "sender" | "verified" | "via">): string {
  return JSON.stringify([sender, verified === true, via ?? ""]);
}

/** The fields of a JSON object; undefined if it is another value. */
function isRecord(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
