// The script of a page that shows views of MCP servers, with the official client and the official bridge. Tests call it
// as `host`. In plain JavaScript: it is bundled for a browser, whose types the tests do not have.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { AppBridge, PostMessageTransport, RESOURCE_MIME_TYPE } from "@modelcontextprotocol/ext-apps/app-bridge";

const INFO = { name: "view-host", version: "1.0.0" };
const VIEWS = { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: [RESOURCE_MIME_TYPE] } } };
const CAPABILITIES = { serverTools: {}, message: { text: {} }, openLinks: {} };
/** The colours of this program. */
const VARIABLES = { "--color-background-primary": "light-dark(#fffdf5, #101418)" };

const host = {
  client: new Client(INFO, { capabilities: VIEWS }),
  /** What views said for the conversation. */
  said: [],
  /** Addresses that views had opened. */
  opened: [],

  /** Connects to a server; resolves with the names of the tools that a model may be shown. */
  async connect(url) {
    await host.client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
    const { tools } = await host.client.listTools();
    return tools.filter(({ _meta }) => _meta?.ui?.visibility?.includes("model") ?? true).map(({ name }) => name);
  },

  /** Calls a tool as the model would, with its view beside it, which is told of the input first and of the result then. */
  async call(name, input, theme) {
    const { client } = host;
    const { tools } = await client.listTools();
    const { resourceUri } = tools.find((tool) => tool.name === name)._meta.ui;
    const { contents } = await client.readResource({ uri: resourceUri });
    const [{ text: html, _meta }] = contents;
    const bridge = await show(html, _meta.ui.csp, { theme, styles: { variables: VARIABLES } });
    await bridge.sendToolInput({ arguments: input });
    const result = await client.callTool({ name, arguments: input });
    await bridge.sendToolResult(result);
    return result.structuredContent;
  },
};

/** Shows a view in a sandbox of another origin; resolves once it has introduced itself. */
async function show(html, csp, hostContext) {
  const bridge = new AppBridge(host.client, INFO, CAPABILITIES, { hostContext });
  // Requests have one handler each, which the bridge takes in this way.
  Object.assign(bridge, {
    onmessage: async ({ content }) => {
      host.said.push(...content.map(({ text }) => text));
      return {};
    },
    onopenlink: async ({ url }) => {
      host.opened.push(url);
      return {};
    },
  });
  const frame = document.createElement("iframe");
  frame.style.cssText = "width:100%;height:40px;border:0";
  bridge.addEventListener("sizechange", ({ height }) => (frame.style.height = `${height}px`));
  const happens = (event) => new Promise((resolve) => bridge.addEventListener(event, resolve));
  const [isReady, isInitialized] = [happens("sandboxready"), happens("initialized")];
  document.body.replaceChildren(frame);
  frame.src = `${location.origin.replace("localhost", "127.0.0.1")}/sandbox`;
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  await isReady;
  await bridge.sendSandboxResourceReady({ html, csp });
  await isInitialized;
  return bridge;
}

globalThis.host = host;
