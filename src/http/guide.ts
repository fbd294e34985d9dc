import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { digest, withDigests } from "./pages.ts";

/** `npm run pages` builds it from the Markdown. */
const GUIDE = new URL("../../public/guide/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

interface File {
  readonly content: string | Buffer;
  readonly etag: string;
}

/** `GET /guide/…`: the documentation as pages and as Markdown; `GET /llms.txt` and `GET /llms-full.txt` for models. */
export function guide(app: FastifyInstance): void {
  const hidden = { schema: { hide: true } } as const;
  const paths = existsSync(GUIDE) ? readdirSync(GUIDE, { recursive: true, encoding: "utf8" }) : [];
  const names = new Set(paths.map((path) => path.replaceAll("\\", "/")));
  const files = new Map<string, File>();
  // Links of a page are relative to its folder, and the router takes a path with a slash at its end for one without.
  app.get("/guide", hidden, (request, reply) => {
    if (!names.has("index.html")) return reply.callNotFound();
    return endsWithSlash(request) ? send("index.html", request, reply) : reply.redirect("guide/", 308);
  });
  app.get("/guide/*", hidden, (request, reply) => {
    const { "*": path } = request.params as { readonly "*": string };
    const name = [path, `${path}.html`].find((one) => TYPES[extname(one)] !== undefined && names.has(one));
    if (name === undefined) return reply.callNotFound();
    if (!endsWithSlash(request)) return send(name, request, reply);
    return reply.redirect(`../${path.split("/").findLast((word) => word !== "") ?? ""}`, 308);
  });
  for (const name of ["llms.txt", "llms-full.txt"]) {
    if (names.has(name)) app.get(`/${name}`, hidden, (request, reply) => send(name, request, reply));
  }

  function send(name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    let file = files.get(name);
    if (file === undefined) files.set(name, (file = read(name)));
    const type = TYPES[extname(name)] as string;
    reply.headers({ "content-type": type, "cache-control": "no-cache", etag: file.etag });
    return request.headers["if-none-match"] === file.etag ? reply.status(304).send() : reply.send(file.content);
  }
}

function endsWithSlash({ url }: FastifyRequest): boolean {
  return url.split("?", 1)[0]?.endsWith("/") === true;
}

/** A file, with an `ETag` of its contents: the files of a package may all have one date. */
function read(name: string): File {
  const bytes = readFileSync(new URL(name, GUIDE));
  const content = name.endsWith(".html") ? withDigests(String(bytes)) : bytes;
  return { content, etag: `W/"${digest(content)}"` };
}
