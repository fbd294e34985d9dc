import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import type { HttpContext } from "./context.ts";

/** The pages lie beside `src/` and `dist/` alike. */
const PUBLIC = new URL("../../public/", import.meta.url);

/** `GET /`: what runs here, with the lines to try. */
export async function pages(app: FastifyInstance, context: HttpContext): Promise<void> {
  const page = readFileSync(new URL("start.html", PUBLIC), "utf8");
  await app.register(fastifyStatic, {
    root: fileURLToPath(PUBLIC),
    prefix: "/assets/",
    index: false,
    decorateReply: false,
    schemaHide: true,
  });
  app.get("/", { schema: { hide: true } }, (request, reply) => {
    const origin = `${request.protocol}://${request.headers.host ?? "localhost"}`;
    const values: Readonly<Record<string, string>> = { origin, version: context.version, log: context.logName };
    const html = page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escaped(values[name] ?? ""));
    return reply.header("content-type", "text/html; charset=utf-8").send(html);
  });
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
