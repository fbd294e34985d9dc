// Names that a text calls, such as @Ana.

/** A run of text; with a name if it mentions someone. */
export interface MentionPiece {
  readonly text: string;
  readonly name?: string;
}

/** Not within an address of e-mail, a path or a word. */
const MENTION = /(?<![\p{L}\p{N}_@/.+-])@([\p{L}\p{N}](?:[\p{L}\p{N}\p{M}_.-]{0,62}[\p{L}\p{N}\p{M}_])?)/gu;
/** What no letter follows. */
const ENDS = "(?![\\p{L}\\p{N}\\p{M}_])";
const SPECIAL = /[.*+?^${}()|[\]\\/]/g;

/** A text in pieces; the person's own name may have spaces, that of others is one word. */
export function mentionPieces(text: string, me: string): MentionPiece[] {
  if (!text.includes("@")) return [{ text }];
  const pieces: MentionPiece[] = [];
  let end = 0;
  const add = (from: number, to: number, name: string): void => {
    if (from > end) pieces.push({ text: text.slice(end, from) });
    pieces.push({ text: text.slice(from, to), name });
    end = to;
  };
  const own = ownPattern(me);
  for (const { index, 0: found, 1: name = "" } of text.matchAll(MENTION)) {
    if (index < end) continue;
    const mine = own?.exec(text.slice(index))?.[0];
    if (mine !== undefined) add(index, index + mine.length, me);
    else add(index, index + found.length, name);
  }
  if (end < text.length || pieces.length === 0) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** Whether a text mentions someone of this name. */
export function mentions(text: string, name: string): boolean {
  return name !== "" && mentionPieces(text, name).some((piece) => piece.name === name);
}

/** What begins with the person's name after an @, in any case, and ends with it. */
function ownPattern(me: string): RegExp | undefined {
  if (me === "") return undefined;
  return new RegExp(`^@${me.replace(SPECIAL, "\\$&")}${ENDS}`, "iu");
}
