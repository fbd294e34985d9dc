// What of a text is shown, and what of it may be a link.

/** A run of text; with an address if it is a link. */
export interface Piece {
  readonly text: string;
  readonly href?: string;
}

const MAX_CHARACTERS = 2000;
const MAX_LINES = 30;
/** Printable ASCII only: in another script an address can look like one that it is not. */
const ADDRESS = /(?<!\w)https?:\/\/[!#-;=?-_a-z~]+/g;
const HOST_ONLY = /^https?:\/\/[^/?#]*$/;
/** Quotation marks, brackets and the like, which are in no name of a host and look like nothing that is. */
const AFTER_HOST = /^[\p{Pi}\p{Pf}\p{Ps}\p{Pe}，、；！？]/u;
/** Punctuation but what joins words, which may go on with a path. */
const AFTER_PATH = /^(?![\p{Pc}\u2010\u2011])\p{P}/u;
/** What in an address would tell where it goes on. */
const GOES_ON = /[-./_%\\&=#@]/;

/** A text in pieces. Only addresses that say where they lead are links: http or https, no user, no name in punycode. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutStop(found);
    if (!endsAt(found, text.slice(index + found.length, index + found.length + 2)) || !isPlainAddress(address))
      continue;
    if (index > end) pieces.push({ text: text.slice(end, index) });
    pieces.push({ text: address, href: address });
    end = index + address.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** The beginning of a text that is too long to be shown whole; otherwise the text itself. */
export function beginningOf(text: string): string {
  let end = Math.min(text.length, MAX_CHARACTERS);
  for (let line = 0, at = -1; line < MAX_LINES; line++) {
    at = text.indexOf("\n", at + 1);
    if (at === -1 || at >= end) break;
    if (line === MAX_LINES - 1) end = at;
  }
  // A little more than what is shown is shown whole.
  if (end === text.length || (end === MAX_CHARACTERS && text.length < MAX_CHARACTERS * 1.2)) return text;
  const last = text.charCodeAt(end - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? end - 1 : end);
}

/** Whether an address ends where something else than ASCII follows, and does not only seem to. */
function endsAt(address: string, rest: string): boolean {
  const [sign = ""] = rest;
  // Some signs are taken for others where an address is read.
  if (sign <= "\x7f") return true;
  if (GOES_ON.test(sign.normalize("NFKC"))) return false;
  return (HOST_ONLY.test(address) ? AFTER_HOST : AFTER_PATH).test(sign);
}

/** Punctuation after an address belongs to the sentence, not to the address. */
function withoutStop(address: string): string {
  const opens = address.includes("(");
  let end = address.length;
  for (; end > 0; end--) {
    const last = address.charAt(end - 1);
    if ((opens && last === ")") || !".,;:!?'*_)]".includes(last)) break;
  }
  return address.slice(0, end);
}

/** Whether an address leads where it seems to: http or https, no user, no name in punycode. */
export function isPlainAddress(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, username, password, hostname } = new URL(address);
  return /^https?:$/.test(protocol) && username === "" && password === "" && !hostname.includes("xn--");
}
