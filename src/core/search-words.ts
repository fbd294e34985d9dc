/** Characters of the texts of a message that are searched; what comes after them is not found. */
export const MAX_SEARCHED = 65_536;
/** Characters of a word that count. */
const MAX_WORD = 64;
/** Characters of a phrase that count, once it is folded. */
const MAX_PHRASE = 512;
/** Stands between two texts of a message, so that no phrase reaches from one into the next. No word has this character. */
const BREAK = "\ue000";

const NOT_ASCII = /[^\p{ASCII}]/u;
/**
 * What people leave out when they type: accents, the vowel points of Hebrew and Arabic, and what is invisible. The marks
 * of Japanese and of the scripts of India are parts of their letters.
 */
const OPTIONAL = /[[\p{M}&&[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Arabic}]]--[\u3099\u309a]]|[\p{Cf}\u0640]/gv;
/**
 * Marks after one letter, of which there are few in any language: to put many in order takes time that grows with their
 * square (UAX 15, "Stream-Safe Text Format").
 */
const MANY_MARKS = /(\p{M}{30})\p{M}+/gu;
/**
 * Words, as runs of what has spaces between words (the last alternative) and of what has none, or adds so much to words
 * that they have to be found inside others: CJK, Korean and the scripts of South-East Asia, then Arabic and Hebrew.
 */
const RUN =
  /(?<pairs>[[\p{L}\p{N}\p{M}]&&[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}\p{scx=Tibetan}]]+)|(?<triples>[[\p{L}\p{N}\p{M}]&&[\p{Script=Arabic}\p{Script=Hebrew}]]+)|[[\p{L}\p{N}\p{M}]--[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}\p{scx=Tibetan}\p{Script=Arabic}\p{Script=Hebrew}]]+/gv;

/** A run of letters and digits. */
interface Run {
  readonly text: string;
  /** If words of its script have to be found inside others: characters of the pieces that it is cut into. */
  readonly piece: number | undefined;
}

/** Words that have to follow one another; the last may be the beginning of a longer one. */
export interface Phrase {
  readonly words: readonly string[];
  readonly isPrefix: boolean;
}

/** A text without what people do not tell apart when they search: case, accents, forms of one letter. */
export function folded(text: string): string {
  const lower = text.toLowerCase();
  if (!NOT_ASCII.test(lower)) return lower;
  const plain = lower.replace(MANY_MARKS, "$1").normalize("NFKD").replace(OPTIONAL, "").toLowerCase();
  // What was between two runs of marks may have been left out.
  const few = plain.replace(MANY_MARKS, "$1");
  return few.replaceAll("ς", "σ").replaceAll("ß", "ss").replaceAll("ı", "i").normalize("NFC");
}

/**
 * The words of a message: those of the strings and numbers in its data, and those of its sender. A run that is cut into
 * pieces has one that begins at each of its characters, so that a word in it is found as a phrase of pieces.
 */
export function messageWords(data: string, sender: string): readonly string[] {
  const words: string[] = [];
  addWords(folded(sender), words);
  let room = MAX_SEARCHED;
  for (const text of textsIn(data)) {
    // One character may stand for many: U+FDFA for four words.
    const plain = folded(text).slice(0, room);
    room -= plain.length;
    words.push(BREAK);
    addWords(plain, words);
  }
  return words;
}

/** What a message has to have in it for a text to be found there; undefined if the text has no word. */
export function phraseOf(text: string, isPrefix: boolean): Phrase | undefined {
  const runs = [...runsIn(folded(text).slice(0, MAX_PHRASE))];
  const last = runs.pop();
  if (last === undefined) return undefined;
  const words = runs.flatMap(wordsOfRun);
  if (last.piece === undefined) return { words: [...words, ...wordsOfRun(last)], isPrefix };
  // Whatever follows it in the message.
  const pieces = wordsOfRun(last);
  const whole = pieces.length - last.piece + 1;
  if (whole < 1) return { words: [...words, last.text], isPrefix: true };
  return { words: [...words, ...pieces.slice(0, whole)], isPrefix: false };
}

/** Whether these words have a phrase among them. Takes time in proportion to the words (Knuth, Morris and Pratt). */
export function hasPhrase(words: readonly string[], { words: wanted, isPrefix }: Phrase): boolean {
  const end = wanted.length - 1;
  const last = wanted[end] ?? "";
  const before = wanted.slice(0, end);
  const back = borders(before);
  let matched = 0;
  for (const word of words) {
    if (matched === end && (isPrefix ? word.startsWith(last) : word === last)) return true;
    while (matched > 0 && (matched === end || word !== before[matched])) matched = back[matched - 1] as number;
    if (matched < end && word === before[matched]) matched++;
  }
  return false;
}

/** For each beginning of a phrase: how many words of its end are the same as its first ones. */
function borders(words: readonly string[]): readonly number[] {
  const lengths: number[] = [];
  let matched = 0;
  for (const [index, word] of words.entries()) {
    while (matched > 0 && word !== words[matched]) matched = lengths[matched - 1] as number;
    if (index > 0 && word === words[matched]) matched++;
    lengths.push(matched);
  }
  return lengths;
}

/** One by one: there may be more than a call can have arguments. */
function addWords(plain: string, words: string[]): void {
  for (const run of runsIn(plain)) for (const word of wordsOfRun(run)) words.push(word);
}

/** The runs of a folded text. */
function* runsIn(plain: string): Iterable<Run> {
  for (const { 0: run, groups } of plain.matchAll(RUN)) {
    const piece = groups?.["pairs"] !== undefined ? 2 : groups?.["triples"] !== undefined ? 3 : undefined;
    yield { text: run, piece };
  }
}

function wordsOfRun({ text, piece }: Run): readonly string[] {
  if (piece === undefined) return [text.length > MAX_WORD ? text.slice(0, MAX_WORD).toWellFormed() : text];
  const characters = Array.from(text);
  return characters.map((_, at) => characters.slice(at, at + piece).join(""));
}

/** The strings and numbers in JSON text, without the names of fields, as far as they are searched. */
function* textsIn(json: string): Iterable<string> {
  let room = MAX_SEARCHED;
  for (let at = 0; at < json.length && room > 0;) {
    const isText = json[at] === '"';
    const end = isText ? endOfString(json, at) : endOfNumber(json, at);
    if (end === at) {
      at++;
      continue;
    }
    if (!isText || json[end] !== ":") {
      const text = isText ? stringIn(json, at, end) : json.slice(at, end);
      yield text.slice(0, room);
      room -= text.length + 1;
    }
    at = end;
  }
}

/** The place after the string that begins at a quotation mark. */
function endOfString(json: string, at: number): number {
  for (let end = json.indexOf('"', at + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let slashes = end;
    while (json[slashes - 1] === "\\") slashes--;
    if ((end - slashes) % 2 === 0) return end + 1;
  }
  return json.length;
}

function stringIn(json: string, at: number, end: number): string {
  const inner = json.slice(at + 1, end - 1);
  return inner.includes("\\") ? (JSON.parse(json.slice(at, end)) as string) : inner;
}

const NUMBER = /-?\d[\d.eE+-]*/y;

function endOfNumber(json: string, at: number): number {
  NUMBER.lastIndex = at;
  return NUMBER.test(json) ? NUMBER.lastIndex : at;
}
