import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";

/** The policy that a host has to make of a view that declares no origins (MCP Apps, "Host Behavior"). */
const POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'";

/** Passes on what the host and the view post, as the specification has it: of another origin than the host. */
const SANDBOX = `<!doctype html><body style="margin:0"><script>
  let view;
  addEventListener("message", ({ source, data }) => {
    if (source === parent && data.method === "ui/notifications/sandbox-resource-ready") {
      view = document.createElement("iframe");
      view.setAttribute("sandbox", "allow-scripts");
      view.style.cssText = "width:100%;height:100vh;border:0";
      view.srcdoc = data.params.html;
      document.body.append(view);
    } else if (source === parent) view?.contentWindow.postMessage(data, "*");
    else if (source === view?.contentWindow) parent.postMessage(data, "*");
  });
  parent.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-proxy-ready", params: {} }, "*");
</script>`;

/** A program that talks to MCP servers and shows their views: the bridge of the official package, in a page. */
export class ViewHost implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<ViewHost> {
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, "view-host-page.js")],
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
    });
    const script = outputFiles[0]?.text ?? "";
    const files: Readonly<Record<string, readonly [string, string, string?]>> = {
      "/": ["text/html", '<!doctype html><body style="margin:0"><script type="module" src="/host.js"></script>'],
      "/host.js": ["text/javascript", script],
      "/sandbox": ["text/html", SANDBOX, POLICY],
    };
    const server = createServer(({ url = "" }, response) => {
      const [type, text, policy] = files[url] ?? ["text/plain", ""];
      response.setHeader("content-type", `${type}; charset=utf-8`);
      if (policy !== undefined) response.setHeader("content-security-policy", policy);
      response.end(text);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ViewHost(server);
  }

  /** Where its page is; its sandbox is at another origin. */
  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
