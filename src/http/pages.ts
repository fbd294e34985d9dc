import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { hostAddress, isLoopback } from "../protocol/address.ts";
import type { HttpContext } from "./context.ts";

/** The pages lie beside `src/` and `dist/` alike; `npm run pages` makes their scripts. */
const PUBLIC = new URL("../../public/", import.meta.url);
const PLOTS = dirname(fileURLToPath(import.meta.resolve("uplot/dist/uPlot.iife.min.js")));

const NOT_FOUND = readFileSync(new URL("not-found.html", PUBLIC), "utf8");
/** What a client on this machine runs as its bridge: Node and the command, as this server was started. */
const HERE: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL(`../cli/main${extname(import.meta.filename)}`, import.meta.url)),
];
/** The same for everyone else, who must not learn the paths of this machine. */
const ELSEWHERE: readonly string[] = ["node", "/path/to/sse-mcp-server/dist/cli/main.js"];
/** What proxies add. */
const FORWARDED = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
const LONGEST_SHOWN = 200;

/** Each page by its path. */
const PAGES: Readonly<Record<string, string>> = {
  "/": "start.html",
  "/chat": "chat.html",
  "/dashboard": "dashboard.html",
};

/** The pages for people, and what they load: all from our own origin. */
export async function pages(app: FastifyInstance, context: HttpContext): Promise<void> {
  const options = { index: false, decorateReply: false, schemaHide: true } as const;
  await app.register(fastifyStatic, { root: fileURLToPath(PUBLIC), prefix: "/assets/", ...options });
  await app.register(fastifyStatic, { root: PLOTS, prefix: "/assets/uplot/", ...options });
  const icon = readFileSync(new URL("icon.svg", PUBLIC));
  app.get("/favicon.ico", { schema: { hide: true } }, (_, reply) =>
    reply.header("content-type", "image/svg+xml").send(icon),
  );
  for (const [path, file] of Object.entries(PAGES)) {
    const page = readFileSync(new URL(file, PUBLIC), "utf8");
    app.get(path, { schema: { hide: true } }, (request, reply) => {
      const { headers } = request;
      const origin = `${shownProtocol(headers)}://${headers.host ?? "localhost"}`;
      const isHere = context.callers.loopback && isDirect(headers);
      const [node, command] = isHere ? HERE : ELSEWHERE;
      const values: Readonly<Record<string, string>> = {
        origin,
        socket: origin.replace(/^http/, "ws"),
        version: context.version,
        log: context.logName,
        node: JSON.stringify(node),
        command: JSON.stringify(command),
      };
      return reply.header("content-type", "text/html; charset=utf-8").send(filled(page, values));
    });
  }
}

/** The page for a path that is not there. */
export function notFoundPage(url: string): string {
  const [path = ""] = url.split("?", 1);
  // Relative, since a proxy may have put the server under a path.
  const base = "../".repeat(path.split("/").length - 2) || "./";
  return filled(NOT_FOUND, { base, path: path.slice(0, LONGEST_SHOWN) });
}

/** What the browser sees as the protocol. A proxy that terminates TLS says so; it changes text on the page, nothing else. */
function shownProtocol({ forwarded = "", "x-forwarded-proto": proto = "" }: IncomingHttpHeaders): string {
  const isSecure = /^\s*https\b/i.test(String(proto)) || /^[^,]*\bproto="?https\b/i.test(forwarded);
  return isSecure ? "https" : "http";
}

/** Whether a browser on this machine asks, without a proxy between. */
function isDirect(headers: IncomingHttpHeaders): boolean {
  const host = hostAddress(headers.host ?? "");
  return host !== undefined && isLoopback(host.name) && FORWARDED.every((name) => headers[name] === undefined);
}

function filled(page: string, values: Readonly<Record<string, string>>): string {
  return page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escaped(values[name] ?? ""));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
