import { EVERYONE, loadSession, loginAddress, logOut, mayAnything, verifiedName, type Session } from "./session.ts";
import { hydrate, render, type ComponentChild, type ComponentType } from "preact";
import { readable } from "./names.ts";

/** Where a page is rendered when it is built, and goes on in the browser. */
const ROOT = "page";

const LINKS = [
  ["Start", ""],
  ["Chat", "chat"],
  ["Dashboard", "dashboard"],
  ["Guide", "guide/"],
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
  /** Where the browser goes on to at once. */
  readonly next?: string;
  /** The same page as Markdown. */
  readonly markdown?: string;
  readonly children: ComponentChild;
}

/** The whole of a page, as it is served. */
export function Document(props: DocumentProps) {
  const { title, name, styles = [], base = "", facts, viewport = "", next, markdown, children } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content={`width=device-width, initial-scale=1${viewport}`} />
        <title>{title}</title>
        {next !== undefined && <meta http-equiv="refresh" content={`0; url=${next}`} />}
        <link rel="icon" href={`${base}assets/icon.svg`} type="image/svg+xml" />
        {["shared", ...styles, ...(name === undefined ? [] : [name])].map((style) => (
          <link key={style} rel="stylesheet" href={`${base}assets/${style}.css`} />
        ))}
        {name !== undefined && <script src={`${base}assets/scripts/${name}.js`} type="module" />}
        {markdown !== undefined && <link rel="alternate" type="text/markdown" href={markdown} />}
      </head>
      <body data-facts={facts}>
        <div id={ROOT}>{children}</div>
      </body>
    </html>
  );
}

interface BarProps {
  readonly base?: string;
  readonly current?: string;
  /** Who looks at the page, once that is known. */
  readonly session?: Session | undefined;
}

/** The links that every page begins with, and who looks at it. */
export function Bar({ base = "", current, session = EVERYONE }: BarProps) {
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
      {session.login !== "none" && <Person session={session} />}
    </nav>
  );
}

/** Who has logged in, or where to. */
function Person({ session }: { readonly session: Session }) {
  const name = verifiedName(session);
  if (name === undefined) return <a href={loginAddress()}>Log in</a>;
  return (
    <span class="person">
      <bdi id="person">{readable(name)}</bdi>
      {session.kind === "session" && (
        <button id="log-out" type="button" onClick={() => void logOut()}>
          Log out
        </button>
      )}
    </span>
  );
}

/** What stands where someone may not see what the page shows; `to` completes "you need the right". */
export function Refused({ session, to }: { readonly session: Session; readonly to: string }) {
  const name = verifiedName(session);
  return (
    <p class="refused" role="status">
      {name === undefined ? (
        <>
          <a href={loginAddress()}>Log in</a> {to}.
        </>
      ) : (
        <>
          You are logged in as <bdi>{readable(name)}</bdi>, who{" "}
          {mayAnything(session) ? "may do other things" : "may do nothing"} here.{" "}
          <a href={loginAddress()}>Log in as someone else</a> {to}.
        </>
      )}
    </p>
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
export function mount<Props extends object>(
  Page: ComponentType<Partial<Props>>,
  live: (facts: object, session: Session) => Props,
): void {
  if (typeof document === "undefined") return;
  const root = document.getElementById(ROOT) as HTMLElement;
  const facts = JSON.parse(document.body.dataset["facts"] ?? "{}") as { readonly auth?: string };
  hydrate(<Page />, root);
  const begin = (session: Session): void => render(<Page {...live(facts, session)} />, root);
  if (facts.auth === "required") void loadSession().then(begin);
  else begin(EVERYONE);
}
