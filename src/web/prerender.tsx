import { renderToString } from "preact-render-to-string";
import { ChatPage } from "./chat/page.tsx";
import { DashboardPage } from "./dashboard/page.tsx";
import { Bar, Document, Skip } from "./shared/page.tsx";
import { LoginPage } from "./login/page.tsx";
import { StartPage } from "./start/page.tsx";

/** The HTML of each page by its file; the server fills in what stands in double braces. */
export function prerendered(): Readonly<Record<string, string>> {
  const pages = {
    "start.html": (
      <Document title="sse-mcp-server" name="start" styles={["questions", "first-visit"]} facts="{{facts}}">
        <StartPage />
      </Document>
    ),
    "chat.html": (
      <Document
        title="Chat"
        name="chat"
        styles={["questions", "first-visit"]}
        facts="{{facts}}"
        viewport=", interactive-widget=resizes-content"
      >
        <ChatPage />
      </Document>
    ),
    "dashboard.html": (
      <Document title="Dashboard · sse-mcp-server" name="dashboard" styles={["scripts/uplot"]} facts="{{facts}}">
        <DashboardPage />
      </Document>
    ),
    "login.html": (
      <Document title="Log in · sse-mcp-server" name="login" facts="{{facts}}">
        <LoginPage />
      </Document>
    ),
    "logged-in.html": (
      <Document title="Logged in · sse-mcp-server" base="{{base}}" styles={["login"]} next="{{next}}">
        <main>
          <h1>Logged in</h1>
          <p>
            You are logged in as <bdi>{"{{name}}"}</bdi>. <a href="{{next}}">Go on</a>
          </p>
        </main>
      </Document>
    ),
    "login-failed.html": (
      <Document title="Not logged in · sse-mcp-server" base="{{base}}" styles={["login"]}>
        <Bar base="{{base}}" />
        <main>
          <h1>Not logged in</h1>
          <p>{"{{sentence}}"}.</p>
          <p>
            <a href="{{base}}login?next={{next}}">Back to the login</a>
          </p>
        </main>
      </Document>
    ),
    "answer.html": (
      <Document title="Answer · sse-mcp-server" base="{{base}}" styles={["questions", "answer"]}>
        <main>
          <p class="asks">
            <bdi>{"{{asker}}"}</bdi> asks in <bdi>{"{{channel}}"}</bdi>
          </p>
          <h1>{"{{text}}"}</h1>
          <p class="context">{"{{context}}"}</p>
          <pre>{"{{proposal}}"}</pre>
          <form method="post">
            <button type="submit">{"{{label}}"}</button>
          </form>
          <p>
            This link answers in the name of <bdi>{"{{by}}"}</bdi>, once. <a href="{{page}}">Answer something else</a>
          </p>
        </main>
      </Document>
    ),
    "answer-told.html": (
      <Document title="{{title}} · sse-mcp-server" base="{{base}}" styles={["questions", "answer"]}>
        <main>
          <h1>{"{{title}}"}</h1>
          <p>{"{{sentence}}"}</p>
        </main>
      </Document>
    ),
    // A page of the guide, which scripts/guide.js fills in.
    "guide.html": (
      <Document title="{{title}} · sse-mcp-server" name="guide" base="{{base}}" markdown="{{markdown}}">
        <Skip to="article">Skip to the text</Skip>
        <Bar base="{{base}}" current="Guide" />
        <div class="guide">
          <div class="side">
            <div id="search" data-index="{{index}}" data-root="{{root}}" />
            <button class="open" type="button" popovertarget="pages">
              Pages
            </button>
            <nav id="pages" popover="auto" aria-label="Pages of the guide">
              {"{{nav}}"}
            </nav>
          </div>
          <main>
            <article id="article">{"{{article}}"}</article>
            <nav class="pager" aria-label="Previous and next page">
              {"{{pager}}"}
            </nav>
          </main>
          <nav class="contents" aria-label="On this page">
            {"{{contents}}"}
          </nav>
        </div>
      </Document>
    ),
    // Its operations are written by the server; Swagger UI is loaded when someone opens the console.
    "api.html": (
      <Document title="API · sse-mcp-server" name="api">
        <Skip to="operations">Skip to the operations</Skip>
        <Bar current="API" />
        <main>
          <div id="read">
            <header>
              <h1>API</h1>
              <p>
                At <code class="origin">{"{{origin}}"}</code>, and as <a href="openapi.json">OpenAPI 3.1</a>. Errors of
                plain HTTP are <code>application/problem+json</code> with a stable <code>code</code>: see{" "}
                <a href="guide/errors">Errors</a>. Streams, frames and limits are in{" "}
                <a href="guide/protocol">the wire protocol</a>.
              </p>
              <p class="actions">
                <a class="open-console" href="#/">
                  Open the console
                </a>{" "}
                <button id="open-all" type="button" hidden>
                  Open all
                </button>
              </p>
            </header>
            <div id="operations">{"{{operations}}"}</div>
          </div>
          <div id="console" tabindex={-1} role="region" aria-label="Console" hidden>
            <p>
              <a href="#operations">Back to the documentation</a> <span id="console-state" role="status" />
            </p>
            <div id="swagger" data-script="assets/api/swagger-ui-bundle.js" data-style="assets/api/swagger-ui.css" />
          </div>
        </main>
      </Document>
    ),
    "not-found.html": (
      <Document title="Not found · sse-mcp-server" base="{{base}}" styles={["start"]}>
        <Bar base="{{base}}" />
        <main>
          <header>
            <h1>Not found</h1>
            <p>
              There is no page at <code>{"{{path}}"}</code>.
            </p>
            <p>
              <a href="{{base}}">To the start page</a>
            </p>
          </header>
        </main>
      </Document>
    ),
  };
  return Object.fromEntries(
    Object.entries(pages).map(([file, page]) => [file, `<!doctype html>${renderToString(page)}\n`]),
  );
}
