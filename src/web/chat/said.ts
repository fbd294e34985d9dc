import { made } from "../made.ts";
import { beginningOf, piecesOf } from "../shared/text.ts";

/** Spaces, ends of lines and signs without a picture only. */
const BLANK = /^[\s\p{Cc}\p{Cf}]*$/u;

/** What a message says: a text as it is, other data as indented JSON. */
export function saidBy(data: unknown): HTMLElement {
  if (typeof data === "string" && BLANK.test(data)) return made("div", "said nothing", "(empty)");
  if (typeof data === "string") return foldable(data, made("div", "said"), withLinks);
  return foldable(JSON.stringify(data, null, 2), made("pre", "said data"), withNames);
}

/** Shows a text in an element, or its beginning and a button where it is long. */
function foldable(
  text: string,
  target: HTMLElement,
  show: (text: string, isCut: boolean) => readonly (Node | string)[],
): HTMLElement {
  // Each paragraph goes the way its own letters go.
  target.dir = "auto";
  const beginning = beginningOf(text);
  target.append(...show(beginning, beginning !== text));
  if (beginning === text) return target;
  const button = made("button", "more", `Show all ${sizeText(text.length)}`);
  button.type = "button";
  button.ariaExpanded = "false";
  button.addEventListener("click", () => {
    const isOpen = button.ariaExpanded === "true";
    button.ariaExpanded = String(!isOpen);
    button.textContent = isOpen ? `Show all ${sizeText(text.length)}` : "Show less";
    target.replaceChildren(...show(isOpen ? beginning : text, isOpen));
  });
  target.classList.toggle("folded", true);
  return made("div", "", target, button);
}

function withLinks(text: string, isCut: boolean): readonly (Node | string)[] {
  const pieces = piecesOf(text);
  return pieces.map((piece, index) => {
    // Half an address leads elsewhere.
    if (piece.href === undefined || (isCut && index === pieces.length - 1)) return piece.text;
    const link = made("a", "", piece.text);
    link.href = piece.href;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    return link;
  });
}

/** JSON with the names of its fields set apart. */
function withNames(json: string): readonly (Node | string)[] {
  const pieces = json.split(/^( *)("(?:[^"\\]|\\.)*")(?=: )/mu);
  return pieces.map((piece, index) => (index % 3 === 2 ? made("span", "field", piece) : piece));
}

function sizeText(characters: number): string {
  return characters < 1024 ? `${characters} characters` : `${Math.round(characters / 1024)} K characters`;
}
