import MiniSearch from "minisearch";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { copy, SAID_FOR } from "../shared/copy.ts";
import { rove } from "../shared/roving.ts";
import { commandsIn } from "./commands.ts";
import { excerptOf, type Hit, type Part } from "./search.ts";

/** As many as fit below the field. */
const MAX_HITS = 12;

/** The field that finds pages, and what it has found. */
function Search({ index, root }: { readonly index: string; readonly root: string }) {
  const [search, setSearch] = useState<(text: string) => readonly Hit[]>();
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const load = (): void => {
    if (search !== undefined) return;
    loadIndex(index).then(
      (found) => setSearch(() => found),
      () => setFailed(true),
    );
  };
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || target.matches("input, textarea, select")) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const hits = text.trim() === "" ? undefined : search?.(text);
  return (
    <search
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          setText("");
          field.current?.focus();
        } else rove(event, "input, a");
      }}
    >
      <input
        ref={field}
        type="search"
        placeholder="Search the guide"
        aria-label="Search the guide"
        aria-keyshortcuts="/"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onFocus={load}
        onInput={({ currentTarget: { value } }) => {
          load();
          setText(value);
        }}
      />
      <p class="unseen" role="status">
        {hits !== undefined && `${hits.length} found`}
      </p>
      {failed && <p class="hits">The search cannot be loaded; try again later.</p>}
      {hits !== undefined && (
        <ol class="hits">
          {hits.map(({ part, excerpt }) => (
            <li key={`${part.page}#${part.id}`}>
              <a href={`${root}${part.page}${part.id === "" ? "" : `#${part.id}`}`} onClick={() => setText("")}>
                <b>
                  {part.title}
                  {part.heading !== part.title && ` › ${part.heading}`}
                </b>
                <span>{excerpt}</span>
              </a>
            </li>
          ))}
          {hits.length === 0 && <li>Nothing found</li>}
        </ol>
      )}
    </search>
  );
}

/** Loads what can be found; resolves with what finds it. */
async function loadIndex(url: string): Promise<(text: string) => readonly Hit[]> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} is answered ${response.status}`);
  const parts = (await response.json()) as readonly Part[];
  const index = new MiniSearch<Part & { readonly number: number }>({
    idField: "number",
    fields: ["title", "heading", "text"],
    searchOptions: { boost: { heading: 4, title: 2 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
  });
  index.addAll(parts.map((part, number) => ({ ...part, number })));
  return (text) => {
    const found = index.search(text).slice(0, MAX_HITS);
    return found.flatMap(({ id, terms }) => {
      const part = parts[id as number];
      return part === undefined ? [] : [{ part, excerpt: excerptOf(part.text, [text, ...terms.sort(byLength)]) }];
    });
  };
}

/** The longest first: short ones are parts of many others. */
function byLength(one: string, other: string): number {
  return other.length - one.length;
}

/** Gives each block of code a button that copies it: of what is typed in a terminal, the commands alone. */
function addCopyButtons(): void {
  for (const code of document.querySelectorAll<HTMLElement>("article pre > code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    const copyBlock = async (): Promise<void> => {
      const text = code.textContent.trimEnd();
      button.textContent = await copy(code.matches(".language-console") ? commandsIn(text) : text, code);
      setTimeout(() => (button.textContent = "Copy"), SAID_FOR);
    };
    button.addEventListener("click", () => void copyBlock());
    code.before(button);
  }
}

const root = document.getElementById("search");
const { index = "", root: address = "./" } = root?.dataset ?? {};
if (root !== null) render(<Search index={index} root={address} />, root);
if (isSecureContext) addCopyButtons();
