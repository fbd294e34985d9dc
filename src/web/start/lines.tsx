import { Line } from "../shared/line.tsx";
import { Tabs } from "./tabs.tsx";
import { teamLines } from "./team-lines.ts";

/** What the server fills in when it serves the page; the script takes the address from where the page came from. */
export interface StartFacts {
  readonly origin: string;
  readonly socket: string;
  readonly version: string;
  readonly log: string;
  /** Node, and the command, as JSON. */
  readonly node: string;
  readonly command: string;
  /** What stands before a command in a terminal: not the same in a checkout. */
  readonly run: string;
}

/** How to publish and receive from elsewhere. */
export function PublishLines({ origin, socket, needsCredential }: StartFacts & { readonly needsCredential: boolean }) {
  const credential = needsCredential ? ' -H "Authorization: Bearer $HUB_TOKEN"' : "";
  const tabs = [
    {
      id: "with-curl",
      name: "curl",
      panel: (
        <>
          {needsCredential && (
            <p>
              <code>HUB_TOKEN</code> is an API key or a token; in a page, the session of whoever logged in counts.
            </p>
          )}
          <p>Publish; it shows above and in every other reader.</p>
          <Line id="curl">{`curl ${origin}/channels/default/messages${credential} -d "Hello"`}</Line>
          <p>Receive:</p>
          <Line id="tail">{`curl -N ${origin}/events${credential}`}</Line>
          <p>Call a tool, as an agent does:</p>
          <Line id="tool">{`curl ${origin}/mcp/tools/call${credential} -d '{"params":{"name":"send_sse_message","arguments":{"message":"Hello from a tool"}}}'`}</Line>
        </>
      ),
    },
    {
      id: "with-eventsource",
      name: "EventSource",
      panel: (
        <>
          <p>Receive in a page, with nothing to install. The browser comes back by itself and gets what it missed.</p>
          <Line id="eventsource">{`new EventSource("${origin}/events").onmessage = (event) => console.log(event.data);`}</Line>
        </>
      ),
    },
    {
      id: "with-websocket",
      name: "WebSocket",
      panel: (
        <>
          <p>Both ways on one connection.</p>
          <Line id="websocket">{`const socket = new WebSocket("${socket}/ws");
socket.onmessage = (event) => console.log(JSON.parse(event.data));
socket.onopen = () => socket.send(JSON.stringify({ type: "publish", channel: "default", data: "Hello" }));`}</Line>
        </>
      ),
    },
    {
      id: "with-python",
      name: "Python",
      panel: (
        <>
          <p>
            Publish, with <code>pip install requests</code>:
          </p>
          <Line id="python-publish">{`import requests

requests.post("${origin}/channels/default/messages", json="Hello")`}</Line>
          <p>Receive:</p>
          <Line id="python">{`import requests

with requests.get("${origin}/events", stream=True) as response:
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("data: "):
            print(line[6:])`}</Line>
        </>
      ),
    },
  ];
  return (
    <section aria-labelledby="try">
      <h2 id="try">Publish and receive</h2>
      <Tabs label="Ways to publish and receive" tabs={tabs} />
    </section>
  );
}

/** How MCP clients come to this server. */
export function AgentLines({ origin, node, command }: StartFacts) {
  const url = `${origin}/mcp`;
  const terminal = (id: string, name: string, text: string, line: string) => ({
    id,
    name,
    panel: (
      <>
        <p>{text}</p>
        <Line id={`for-${id}`}>{line}</Line>
      </>
    ),
  });
  const file = (id: string, name: string, where: readonly string[], line: string) => ({
    id,
    name,
    panel: (
      <>
        <p>
          In <code>{where[0]}</code>
          {where.length > 1 && (
            <>
              , or <code>{where[1]}</code> of a project
            </>
          )}
          :
        </p>
        <Line id={`for-${id}`}>{line}</Line>
      </>
    ),
  });
  const tabs = [
    terminal("claude-code", "Claude Code", "In a terminal:", `claude mcp add --transport http hub ${url}`),
    {
      id: "claude-desktop",
      name: "Claude Desktop",
      panel: (
        <>
          <p>
            In <code>claude_desktop_config.json</code>. It starts a bridge, from a copy of this program on its own
            machine.
          </p>
          <Line id="for-claude-desktop">{`{
  "mcpServers": {
    "hub": { "command": ${node}, "args": [${command}, "stdio", "--url", "${url}"] }
  }
}`}</Line>
        </>
      ),
    },
    file(
      "cursor",
      "Cursor",
      ["~/.cursor/mcp.json", ".cursor/mcp.json"],
      `{ "mcpServers": { "hub": { "url": "${url}" } } }`,
    ),
    file("vscode", "VS Code", [".vscode/mcp.json"], `{ "servers": { "hub": { "type": "http", "url": "${url}" } } }`),
    file("codex", "Codex", ["~/.codex/config.toml"], `[mcp_servers.hub]\nurl = "${url}"`),
    terminal(
      "inspector",
      "Inspector",
      "In a terminal; it opens a page that shows what a client sees.",
      `npx @modelcontextprotocol/inspector --server-url ${url} --transport http`,
    ),
  ];
  return (
    <section aria-labelledby="connect">
      <h2 id="connect">Connect an agent</h2>
      <p>
        Any client of the Model Context Protocol takes <code>{url}</code>.
      </p>
      <Tabs label="MCP clients" tabs={tabs} />
    </section>
  );
}

/** How others get to use a server that is open to everyone. */
export function TeamLines({ run }: StartFacts) {
  return (
    <section aria-labelledby="team">
      <h2 id="team">From a laptop to a team</h2>
      <p>
        Everyone who reaches this server may do everything. With the certificate of a name in <code>hub.pem</code> and
        its key in <code>hub.key</code>, this puts it on the network, for those with a key:
      </p>
      <Line id="for-a-team">{teamLines(run)}</Line>
      <p>
        Services send their key; people log in with theirs, or at your identity provider: see{" "}
        <code>docs/security.md</code>.
      </p>
    </section>
  );
}
