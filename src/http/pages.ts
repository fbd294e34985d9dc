import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyCompress from "@fastify/compress";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import type { HttpContext } from "./context.ts";

/** The pages lie beside `src/` and `dist/` alike; `npm run pages` makes their scripts. */
const PUBLIC = new URL("../../public/", import.meta.url);
const PLOTS = dirname(fileURLToPath(import.meta.resolve("uplot/dist/uPlot.iife.min.js")));

/** Each page by its path. */
const PAGES: Readonly<Record<string, string>> = {
  "/": "start.html",
  "/chat": "chat.html",
  "/dashboard": "dashboard.html",
};

/** What a browser shows of an address that is not there. */
export const MISSING: string = readFileSync(new URL("missing.html", PUBLIC), "utf8");

/** The pages for people, and what they load: all from our own origin. */
export async function pages(app: FastifyInstance, context: HttpContext): Promise<void> {
  const options = { index: false, decorateReply: false, schemaHide: true } as const;
  await app.register(async (scope) => {
    await scope.register(fastifyCompress, { encodings: ["gzip", "br"], globalDecompression: false });
    await scope.register(fastifyStatic, { root: fileURLToPath(PUBLIC), prefix: "/assets/", ...options });
    await scope.register(fastifyStatic, { root: PLOTS, prefix: "/assets/uplot/", ...options });
  });
  const icon = readFileSync(new URL("icon.svg", PUBLIC));
  app.get("/favicon.ico", { schema: { hide: true } }, (_, reply) => {
    return reply.header("content-type", "image/svg+xml").send(icon);
  });
  for (const [path, file] of Object.entries(PAGES)) {
    const page = readFileSync(new URL(file, PUBLIC), "utf8");
    app.get(path, { schema: { hide: true } }, (request, reply) => {
      const origin = `${request.protocol}://${request.headers.host ?? "localhost"}`;
      const values: Readonly<Record<string, string>> = {
        origin,
        socket: origin.replace(/^http/, "ws"),
        version: context.version,
        log: context.logName,
      };
      const html = page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escaped(values[name] ?? ""));
      return reply.header("content-type", "text/html; charset=utf-8").send(html);
    });
  }
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
