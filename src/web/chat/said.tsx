import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { WithLinks } from "../shared/links.tsx";
import { markdown, useMarkdown } from "../shared/markdown.tsx";
import { beginningOf } from "../shared/text.ts";

/** Spaces, ends of lines and signs without a picture only. */
const BLANK = /^[\s\p{Cc}\p{Cf}]*$/u;

/** What a message says: a text as Markdown, other data as indented JSON. */
export function Said({ data }: { readonly data: unknown }) {
  const [isOpen, open] = useState(false);
  if (typeof data === "string" && BLANK.test(data)) return <div class="said nothing">(empty)</div>;
  const whole = typeof data === "string" ? data : JSON.stringify(data, null, 2);
  const beginning = beginningOf(whole);
  const isLong = beginning !== whole;
  // Half an address is no link: it would lead elsewhere.
  const text = isOpen || !isLong ? whole : `${beginning}…`;
  const kind = isLong && !isOpen ? " folded" : "";
  const said = typeof data === "string" ? <Text text={text} kind={kind} /> : <Data json={text} kind={kind} />;
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

function Text({ text, kind }: { readonly text: string; readonly kind: string }) {
  const isLoaded = useMarkdown();
  const elements = useMemo(() => markdown(text), [text, isLoaded]);
  // Each paragraph goes the way its own letters go.
  return (
    <div class={elements === undefined ? `said${kind}` : `said marked${kind}`} dir="auto">
      {elements ?? <WithLinks text={text} />}
    </div>
  );
}

function Data({ json, kind }: { readonly json: string; readonly kind: string }) {
  return (
    <pre class={`said data${kind}`} dir="auto">
      {withNames(json)}
    </pre>
  );
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
