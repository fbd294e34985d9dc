import type { default as Parser, Token } from "markdown-it";
import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { copy, SAID_FOR } from "./copy.ts";
import { NamedLink, WithLinks } from "./links.tsx";

/** Elements that a text may consist of, besides those that are made below. */
const TAGS = new Set(["p", "blockquote", "ul", "li", "strong", "em", "s", "thead", "tbody", "tr", "th", "td"]);
/** Types of the tokens of a text in which nothing is marked up. */
const PLAIN = new Set(["paragraph_open", "paragraph_close", "inline", "text", "softbreak"]);

let parser: InstanceType<typeof Parser> | undefined;
let loading: Promise<void> | undefined;

/** Loads the parser: it is larger than the rest of the page, and texts can be read without it. */
async function load(): Promise<void> {
  const { default: MarkdownIt } = await import("markdown-it");
  // In what is written line by line, indented lines are no code, and lines of dashes no headings.
  parser = new MarkdownIt("default", { html: false, breaks: true }).disable(["code", "lheading", "hr"]);
}

/** Whether the parser is loaded; renders its component again when it is. */
export function useMarkdown(): boolean {
  const [isLoaded, setLoaded] = useState(parser !== undefined);
  useEffect(() => {
    if (isLoaded) return;
    // If it cannot be loaded, texts stay as they are.
    (loading ??= load()).then(
      () => setLoaded(true),
      () => {},
    );
  }, [isLoaded]);
  return isLoaded;
}

/**
 * A text as Markdown: CommonMark with tables and strikethrough, in which a line break is one. Undefined if nothing is
 * marked up, or the parser is not loaded. The text becomes elements, never HTML; images become links.
 */
export function markdown(text: string): ComponentChild[] | undefined {
  const tokens = parser?.parse(text, {});
  return tokens === undefined || tokens.every(isPlain) ? undefined : elementsOf(tokens);
}

function isPlain({ type, children }: Token): boolean {
  return PLAIN.has(type) && (children ?? []).every(isPlain);
}

/** The elements of tokens of which every opening one is followed by its closing one. */
function elementsOf(tokens: readonly Token[], isInLink = false): ComponentChild[] {
  const elements: ComponentChild[] = [];
  let end = -1;
  for (const [start, token] of tokens.entries()) {
    if (start <= end) continue;
    end = token.nesting === 1 ? closingOf(tokens, start) : start;
    elements.push(elementOf(token, tokens.slice(start + 1, end), start, isInLink));
  }
  return elements;
}

function closingOf(tokens: readonly Token[], start: number): number {
  const level = tokens[start]?.level;
  let end = start + 1;
  while (end < tokens.length && tokens[end]?.level !== level) end++;
  return end;
}

function elementOf(token: Token, inner: readonly Token[], key: number, isInLink: boolean): ComponentChild {
  const { type, tag, content, hidden } = token;
  if (type === "inline") return elementsOf(token.children ?? []);
  if (type === "text") return isInLink ? content : <WithLinks key={key} text={content} />;
  if (tag === "br") return <br key={key} />;
  if (type === "code_inline") return <code key={key}>{content}</code>;
  if (type === "fence") return <CodeBlock key={key} language={token.info} text={content.replace(/\n$/, "")} />;
  if (type === "image" && isInLink) return content;
  if (type === "image") return <NamedLink key={key} href={attribute(token, "src")} children={content || "image"} />;
  const children = elementsOf(inner, isInLink || tag === "a");
  if (tag === "a") {
    const href = attribute(token, "href");
    const isAddress = inner.length === 1 && inner[0]?.content === href;
    return isAddress ? <WithLinks key={key} text={href} /> : <NamedLink key={key} href={href} children={children} />;
  }
  // The paragraphs of a list whose entries have one each.
  if (hidden) return children;
  // Headings of the page are its channel and the days.
  if (type === "heading_open") {
    return (
      <p key={key} class="heading">
        {children}
      </p>
    );
  }
  if (tag === "ol") {
    return (
      <ol key={key} start={Number(token.attrGet("start") ?? 1)}>
        {children}
      </ol>
    );
  }
  if (tag === "table") {
    return (
      <div key={key} class="wide">
        <table>{children}</table>
      </div>
    );
  }
  const Tag = tag as "p";
  return TAGS.has(tag) ? <Tag key={key}>{children}</Tag> : content;
}

function attribute(token: Token, name: string): string {
  return String(token.attrGet(name) ?? "");
}

/** Code as it is, with a button that copies it. */
function CodeBlock({ text, language }: { readonly text: string; readonly language: string }) {
  const code = useRef<HTMLElement>(null);
  const [done, say] = useState("");
  const copyCode = async (): Promise<void> => {
    say(await copy(text, code.current));
    setTimeout(() => say(""), SAID_FOR);
  };
  return (
    <div class="code">
      {language !== "" && <span class="language">{language.slice(0, 20)}</span>}
      <pre dir="ltr" tabIndex={0}>
        <code ref={code}>{text}</code>
      </pre>
      <button type="button" onClick={() => void copyCode()}>
        {done || "Copy"}
        <span class="unseen"> code</span>
      </button>
    </div>
  );
}
