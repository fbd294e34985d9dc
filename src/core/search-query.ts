import { HubError } from "./errors.ts";
import { folded, hasPhrase, MAX_SEARCHED, messageWords, phraseOf, type Phrase } from "./search-words.ts";

/** Characters of what is searched for. */
export const MAX_QUERY = 256;
/** Words and phrases in it. */
const MAX_PHRASES = 16;

/** Characters of data up to which the letters in it are looked for before its words. */
const MAX_LOOKED_THROUGH = 4 * MAX_SEARCHED;

/** A phrase in quotation marks, the last of which may be missing, or a word; either may end with a star. */
const TERM = /"([^"]*)(?:"(\*?)|$)|([^\s"]+)/g;

/**
 * Reads what someone searches for: words, "phrases" and prefix*, all of which a message has to have. Throws
 * `INVALID_INPUT`; `field` is what the caller calls it.
 */
export function searchQuery(text: string, field: string): readonly Phrase[] {
  if (text.length > MAX_QUERY) {
    throw new HubError("INVALID_INPUT", `${field} has ${text.length} characters; at most ${MAX_QUERY} are allowed`);
  }
  const phrases: Phrase[] = [];
  for (const [, quotedText, star = "", word] of text.matchAll(TERM)) {
    const given = word ?? `${quotedText ?? ""}${star}`;
    const phrase = phraseOf(given, given.endsWith("*"));
    if (phrase !== undefined) phrases.push(phrase);
  }
  if (phrases.length === 0) {
    throw new HubError(
      "INVALID_INPUT",
      `${field} has no letters or digits to search for; give words, "a phrase" or the beginning of a word as pre*`,
    );
  }
  if (phrases.length > MAX_PHRASES) {
    throw new HubError("INVALID_INPUT", `${field} has ${phrases.length} words; at most ${MAX_PHRASES} are allowed`);
  }
  return phrases;
}

/** Whether a message has all phrases in it; `data` is JSON text. */
export function isFound(
  phrases: readonly Phrase[],
  { data, sender }: { readonly data: string; readonly sender: string },
): boolean {
  // Nearly all messages have not even the letters, which is quicker to see than what their words are.
  if (data.length < MAX_LOOKED_THROUGH) {
    const letters = folded(`${sender} ${data}`);
    if (!phrases.every(({ words }) => words.every((word) => letters.includes(word)))) return false;
  }
  const words = messageWords(data, sender);
  return phrases.every((phrase) => hasPhrase(words, phrase));
}
