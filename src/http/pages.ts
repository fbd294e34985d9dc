import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { hostAddress, isLoopback } from "../protocol/address.ts";
import { operationsHtml, type ApiDocument } from "./api-operations.ts";
import type { HttpContext } from "./context.ts";
import { escaped } from "./html.ts";

/** The pages lie beside `src/` and `dist/` alike; `npm run pages` builds their scripts and the client library. */
const PUBLIC = new URL("../../public/", import.meta.url);

const NOT_FOUND = htmlOf("not-found.html");
/** What a client on this machine runs as its bridge: Node and the command, as this server was started. */
const HERE: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL(`../cli/main${extname(import.meta.filename)}`, import.meta.url)),
];
/** The same for everyone else, who must not learn the paths of this machine. */
const ELSEWHERE: readonly string[] = ["node", "/path/to/sse-mcp-server/dist/cli/main.js"];
/** How a command is run in a terminal: the package installs one, a checkout has none in the PATH. */
const RUN = import.meta.filename.endsWith(".ts") ? "npm start --" : "sse-mcp-server";
/** What proxies add. */
const FORWARDED = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
const MAX_SHOWN = 200;

/** The HTML of each page by its path. */
const PAGES: Readonly<Record<string, string>> = {
  "/": htmlOf("start.html"),
  "/chat": htmlOf("chat.html"),
  "/dashboard": htmlOf("dashboard.html"),
  "/docs": htmlOf("api.html"),
  "/login": htmlOf("login.html"),
};

/** What a person sees after a login at an identity provider. */
const LOGIN_ENDED: Readonly<Record<"done" | "failed", string>> = {
  done: htmlOf("logged-in.html"),
  failed: htmlOf("login-failed.html"),
};

/** What a person sees who follows a link that answers a question. */
const ANSWER_LINK: Readonly<Record<"ask" | "told", string>> = {
  ask: htmlOf("answer.html"),
  told: htmlOf("answer-told.html"),
};

/** The pages for people, and what they load: all from our own origin. */
export async function pages(app: FastifyInstance, context: HttpContext): Promise<void> {
  const options = { index: false, decorateReply: false, schemaHide: true } as const;
  await app.register(fastifyStatic, { root: fileURLToPath(PUBLIC), prefix: "/assets/", ...options });
  const api = { root: fileURLToPath(new URL("api/", PUBLIC)), prefix: "/assets/api/", preCompressed: true };
  if (existsSync(api.root)) await app.register(fastifyStatic, { ...options, ...api });
  for (const file of ["client.js", "client.js.map"]) library(app, file);
  const icon = readFileSync(new URL("icon.svg", PUBLIC));
  app.get("/favicon.ico", { schema: { hide: true } }, (_, reply) =>
    reply.header("content-type", "image/svg+xml").send(icon),
  );
  const { basePath } = context;
  let operations: string | undefined;
  for (const [path, page] of Object.entries(PAGES)) {
    // A proxy may have removed the path, and with it whether it ended with a slash, which relative links depend on.
    const html = path === "/" && basePath !== "" ? page.replace(/="assets\//g, `="${basePath}/assets/`) : page;
    app.get(path, { schema: { hide: true } }, (request, reply) => {
      const { headers, originalUrl } = request;
      const [asked = "", ...query] = originalUrl.split(/(?=\?)/);
      if (basePath !== "" && asked === basePath) return reply.redirect(`${basePath}/${query.join("")}`);
      // What a page names is relative to its folder.
      if (path !== "/" && asked.endsWith("/")) return reply.redirect(`..${path}${query.join("")}`, 308);
      const origin = `${request.protocol === "https" ? "https" : shownProtocol(headers)}://${headers.host ?? "localhost"}${basePath}`;
      const isHere = context.callers.loopback && isDirect(headers);
      const [node, command] = isHere ? HERE : ELSEWHERE;
      const shown =
        path === "/docs"
          ? html.replace("{{operations}}", () => (operations ??= operationsHtml(app.swagger() as ApiDocument)))
          : html;
      const facts = {
        version: context.version,
        log: context.logName,
        auth: context.authenticator.isOpen ? "none" : "required",
        node: JSON.stringify(node),
        command: JSON.stringify(command),
        run: RUN,
      };
      const values = { ...facts, origin, socket: origin.replace(/^http/, "ws"), facts: JSON.stringify(facts) };
      reply.headers({ "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" });
      return reply.send(filled(shown, values));
    });
  }
}

/** A file of the client library, for pages of every origin that may call; by what it holds, whatever its date. */
function library(app: FastifyInstance, file: string): void {
  const url = new URL(`client/${file}`, PUBLIC);
  if (!existsSync(url)) return;
  const text = readFileSync(url, "utf8");
  const headers = {
    "content-type": file.endsWith(".js") ? "text/javascript; charset=utf-8" : "application/json",
    "cache-control": "public, max-age=0",
    etag: `W/"${digest(text)}"`,
  };
  app.get(`/${file}`, { schema: { hide: true } }, (request, reply) => {
    reply.headers(headers);
    return request.headers["if-none-match"] === headers.etag ? reply.status(304).send() : reply.send(text);
  });
}

/** The page for a path that is not there; `shown` is the URL as the browser knows it. */
export function notFoundPage(url: string, shown: string): string {
  const [path = ""] = url.split("?", 1);
  const [shownPath = ""] = shown.split("?", 1);
  // Relative, since a proxy may have put the server under a path.
  const base = "../".repeat(path.split("/").length - 2) || "./";
  return filled(NOT_FOUND, { base, path: shownPath.slice(0, MAX_SHOWN) });
}

/** The page after a login at an identity provider: it goes on to `next` by itself, or says why there was none. */
export function loginEndedPage(outcome: "done" | "failed", values: Readonly<Record<string, string>>): string {
  return filled(LOGIN_ENDED[outcome], values);
}

/** The page of a link that answers a question: it asks once more, or tells what became of it. */
export function answerPage(kind: "ask" | "told", values: Readonly<Record<string, string>>): string {
  return filled(ANSWER_LINK[kind], values);
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

/** The HTML of a page. */
function htmlOf(file: string): string {
  const html = new URL(`pages/${file}`, PUBLIC);
  if (!existsSync(html)) return "<!doctype html><title>sse-mcp-server</title><p>The pages are not built; run npm ci.";
  return withDigests(readFileSync(html, "utf8"));
}

/**
 * A page on which what it loads is named by its content, too, so that no browser takes a copy from before an upgrade for
 * the same.
 */
export function withDigests(html: string): string {
  return html.replace(/assets\/([\w./-]+\.(?:css|js))(?=")/g, (link, path: string) => {
    const url = new URL(path, PUBLIC);
    return existsSync(url) ? `${link}?${digest(readFileSync(url))}` : link;
  });
}

/** A short name of what a file holds. */
export function digest(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 8);
}

function filled(page: string, values: Readonly<Record<string, string>>): string {
  return page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escaped(values[name] ?? ""));
}
