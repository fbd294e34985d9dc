import { hydrate, render, type ComponentChild, type ComponentType } from "preact";

/** Where a page is rendered when it is built, and goes on in the browser. */
const ROOT = "page";

const LINKS = [
  ["Start", ""],
  ["Chat", "chat"],
  ["Dashboard", "dashboard"],
  ["API", "docs"],
] as const;

export interface DocumentProps {
  readonly title: string;
  /** The name of the script and of the stylesheet. */
  readonly name?: string;
  /** More stylesheets. */
  readonly styles?: readonly string[];
  /** The way from the page to the root of the server: relative, since a proxy may have put it under a path. */
  readonly base?: string;
  /** What `mount` reads, filled in by the server. */
  readonly facts?: string;
  readonly viewport?: string;
  readonly children: ComponentChild;
}

/** The whole of a page, as it is served. */
export function Document({ title, name, styles = [], base = "", facts, viewport = "", children }: DocumentProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content={`width=device-width, initial-scale=1${viewport}`} />
        <title>{title}</title>
        <link rel="icon" href={`${base}assets/icon.svg`} type="image/svg+xml" />
        {["shared", ...styles, ...(name === undefined ? [] : [name])].map((style) => (
          <link key={style} rel="stylesheet" href={`${base}assets/${style}.css`} />
        ))}
        {name !== undefined && <script src={`assets/scripts/${name}.js`} type="module" />}
      </head>
      <body data-facts={facts}>
        <div id={ROOT}>{children}</div>
      </body>
    </html>
  );
}

/** The links that every page begins with. */
export function Bar({ base = "", current }: { readonly base?: string; readonly current?: string }) {
  const home = base === "" ? "./" : base;
  return (
    <nav class="bar" aria-label="Pages">
      <a class="brand" href={home}>
        <img src={`${base}assets/icon.svg`} alt="" width="20" height="20" />
        sse-mcp-server
      </a>
      {LINKS.map(([text, path]) => (
        <a key={text} href={path === "" ? home : base + path} aria-current={text === current ? "page" : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}

/** The first stop of the Tab key. */
export function Skip({ to, children }: { readonly to: string; readonly children: string }) {
  return (
    <a class="skip" href={`#${to}`}>
      {children}
    </a>
  );
}

/**
 * In a browser, takes the page over that was rendered when it was built, and then has it live: nothing moves, what was
 * typed stays, and buttons that need the script work from then on.
 */
export function mount<Props extends object>(Page: ComponentType<Partial<Props>>, live: (facts: object) => Props): void {
  if (typeof document === "undefined") return;
  const root = document.getElementById(ROOT) as HTMLElement;
  const facts = JSON.parse(document.body.dataset["facts"] ?? "{}") as object;
  hydrate(<Page />, root);
  render(<Page {...live(facts)} />, root);
}
