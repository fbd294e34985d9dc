import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { beginningOf, piecesOf } from "../shared/text.ts";

/** Spaces, ends of lines and signs without a picture only. */
const BLANK = /^[\s\p{Cc}\p{Cf}]*$/u;

/** What a message says: a text as it is, other data as indented JSON. */
export function Said({ data }: { readonly data: unknown }) {
  const [isOpen, open] = useState(false);
  if (typeof data === "string" && BLANK.test(data)) return <div class="said nothing">(empty)</div>;
  const whole = typeof data === "string" ? data : JSON.stringify(data, null, 2);
  const beginning = beginningOf(whole);
  const isLong = beginning !== whole;
  const text = isOpen ? whole : beginning;
  const kind = isLong ? " folded" : "";
  // Each paragraph goes the way its own letters go.
  const said =
    typeof data === "string" ? (
      <div class={`said${kind}`} dir="auto">
        {withLinks(text, text !== whole)}
      </div>
    ) : (
      <pre class={`said data${kind}`} dir="auto">
        {withNames(text)}
      </pre>
    );
  if (!isLong) return said;
  return (
    <div>
      {said}
      <button type="button" class="more" aria-expanded={isOpen} onClick={() => open(!isOpen)}>
        {isOpen ? "Show less" : `Show all ${sizeText(whole.length)}`}
      </button>
    </div>
  );
}

function withLinks(text: string, isCut: boolean): ComponentChildren {
  const pieces = piecesOf(text);
  return pieces.map((piece, index) => {
    // Half an address leads elsewhere.
    if (piece.href === undefined || (isCut && index === pieces.length - 1)) return piece.text;
    return (
      <a key={index} href={piece.href} rel="noopener noreferrer nofollow" target="_blank">
        {piece.text}
      </a>
    );
  });
}

/** JSON with the names of its fields set apart. */
function withNames(json: string): ComponentChildren {
  const pieces = json.split(/^( *)("(?:[^"\\]|\\.)*")(?=: )/mu);
  return pieces.map((piece, index) =>
    index % 3 === 2 ? (
      <span key={index} class="field">
        {piece}
      </span>
    ) : (
      piece
    ),
  );
}

function sizeText(characters: number): string {
  return characters < 1024 ? `${characters} characters` : `${Math.round(characters / 1024)} K characters`;
}
