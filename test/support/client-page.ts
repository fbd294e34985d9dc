import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";

const ROOT = join(import.meta.dirname, "../..");
/** What pages may load; it is sent without its types. */
const SERVED =
  /^\/(?:src\/(?:client|protocol)|test\/client)\/[\w-]+\.ts$|^\/node_modules\/eventsource-parser\/dist\/\w+\.js$/;
const IMPORTS = JSON.stringify({
  imports: { "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js" },
});
const PAGE = `<!doctype html><title>page</title><script type="importmap">${IMPORTS}</script>`;

/** A server of empty pages that load the client from its source, and nothing from anywhere else. */
export class ClientPages implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<ClientPages> {
    const server = createServer(({ url = "/" }, response) => {
      if (SERVED.test(url)) {
        const source = readFileSync(join(ROOT, url), "utf8");
        const code = url.endsWith(".ts") ? stripTypeScriptTypes(source) : source;
        response.setHeader("content-type", "text/javascript").end(code);
      } else if (/^\/(?:\?|$)/.test(url)) response.setHeader("content-type", "text/html").end(PAGE);
      else response.writeHead(404).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ClientPages(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** An empty page, with `client` among its globals. */
  async page(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(this.url);
    await page.evaluate(`import("/src/client/index.ts").then((client) => { globalThis.client = client; })`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
