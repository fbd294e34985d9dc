import { useState } from "preact/hooks";
import { connect, type Hub } from "../../client/index.ts";
import type { ServerInfo } from "../../protocol/server-info.ts";
import { useWhileVisible } from "../shared/connection.ts";
import { count } from "../shared/format.ts";
import { Bar, mount, Refused, Skip } from "../shared/page.tsx";
import { readerOfBrowser } from "../shared/reader.ts";
import { mayRead, type Session } from "../shared/session.ts";
import { Status } from "../shared/status.tsx";
import { AgentLines, PublishLines, TeamLines, type StartFacts } from "./lines.tsx";
import { Live } from "./live.tsx";

interface StartProps extends StartFacts {
  /** Undefined if the person may read nothing. */
  readonly hub: Hub | undefined;
  readonly session: Session;
}

const FILLED_IN: StartFacts = {
  origin: "{{origin}}",
  socket: "{{socket}}",
  version: "{{version}}",
  log: "{{log}}",
  node: "{{node}}",
  command: "{{command}}",
  run: "{{run}}",
};

const ELSEWHERE = [
  ["API documentation", "docs"],
  ["OpenAPI", "openapi.json"],
  ["Health", "health"],
  ["Metrics", "metrics"],
  ["Channels", "channels"],
] as const;

/** What the server does in numbers, the channel default live, and lines to copy. */
export function StartPage({ hub, session, ...given }: Partial<StartProps>) {
  const facts = { ...FILLED_IN, ...given };
  return (
    <>
      <Skip to="text">Skip to the message field</Skip>
      <Bar current="Start" session={session} />
      <main>
        <header>
          <h1>
            sse-mcp-server <small>{facts.version}</small>
          </h1>
          <p>
            Services, AI agents and people on the same channels, at <code>{facts.origin}</code>
          </p>
          {session === undefined || hub !== undefined ? (
            <Status
              hub={hub}
              live="Running"
              offline="; what was missed comes when you are back."
              waiting="; what was missed comes when it is back."
            />
          ) : (
            <Refused session={session} to="to read and publish here" />
          )}
          <p class="ways">
            <a class="way" href="chat">
              <b>Open the chat</b> <span>with whoever else is here</span>
            </a>
            <a class="way" href="dashboard">
              <b>Open the dashboard</b> <span>see what the server does</span>
            </a>
          </p>
        </header>
        {(session === undefined || hub !== undefined) && <Live hub={hub} session={session} origin={facts.origin} />}
        <PublishLines {...facts} needsCredential={session !== undefined && session.login !== "none"} />
        <AgentLines {...facts} />
        {session?.login === "none" && <TeamLines {...facts} />}
        <section aria-labelledby="this-server">
          <h2 id="this-server">This server</h2>
          {session?.admin !== false && <Numbers hub={hub} />}
          <p>
            Messages are kept in <code>{facts.log}</code>
          </p>
        </section>
        <nav class="links" aria-label="What else is here">
          {ELSEWHERE.map(([text, href]) => (
            <a key={href} href={href}>
              {text}
            </a>
          ))}
        </nav>
      </main>
    </>
  );
}

function Numbers({ hub }: { readonly hub: Hub | undefined }) {
  const [info, setInfo] = useState<ServerInfo>();
  useWhileVisible(() => {
    if (hub === undefined || hub.state.kind === "closed") return () => {};
    const stats = hub.subscribe<ServerInfo>("hub.stats", { onMessage: ({ data }) => setInfo(data) });
    return () => stats.close();
  }, [hub]);
  const numbers = [
    ["connections", info?.connections.total],
    ["published", info?.messages.published],
    ["per second", info?.messages.publishedPerSecond],
    ["kept", info?.messages.kept],
    ["channels", info?.channels],
  ] as const;
  return (
    <dl class="numbers">
      {numbers.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{count(value ?? NaN)}</dd>
        </div>
      ))}
    </dl>
  );
}

// A proxy may have taken a path away together with how it ended, and what a page asks for is relative to that.
const lacksSlash = typeof location !== "undefined" && !location.pathname.endsWith("/");
if (lacksSlash) location.replace(`${location.pathname}/${location.search}${location.hash}`);
else
  mount<StartProps>(StartPage, (facts, session) => {
    // A proxy may speak another protocol than the server knows of, and have put it under a path.
    const origin = new URL(".", location.href).href.replace(/\/$/, "");
    // The page shows the channel `default`, and what only admins see.
    const hub = mayRead(session, "default") ? connect("./", { reader: readerOfBrowser() }) : undefined;
    return { ...(facts as StartFacts), origin, socket: origin.replace(/^http/, "ws"), hub, session };
  });
