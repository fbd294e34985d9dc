import { renderToString } from "preact-render-to-string";
import { ChatPage } from "./chat/page.tsx";
import { DashboardPage } from "./dashboard/page.tsx";
import { Bar, Document } from "./shared/page.tsx";
import { StartPage } from "./start/page.tsx";

/** The HTML of each page by its file; the server fills in what stands in double braces. */
export function prerendered(): Readonly<Record<string, string>> {
  const pages = {
    "start.html": (
      <Document title="sse-mcp-server" name="start" facts="{{facts}}">
        <StartPage />
      </Document>
    ),
    "chat.html": (
      <Document title="Chat" name="chat" viewport=", interactive-widget=resizes-content">
        <ChatPage />
      </Document>
    ),
    "dashboard.html": (
      <Document title="Dashboard · sse-mcp-server" name="dashboard" styles={["scripts/uplot"]} facts="{{facts}}">
        <DashboardPage />
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
