import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import type { Files } from "../core/files.ts";
import { checkedLine } from "../core/message.ts";
import { checkAnyGrant } from "../core/principal.ts";
import { principalOf } from "./authentication.ts";
import { callerKey } from "../limits/rate-limits.ts";
import { admitFor, callerOf, type HttpContext } from "./context.ts";
import { fileHeaders, mediaType } from "./file-headers.ts";

const TAGS = ["publish"];
/** Characters of the name of a file. */
const MAX_NAME = 255;
const RAW = "application/octet-stream";

const query = z.strictObject({
  name: z
    .string()
    .optional()
    .meta({ description: "What it is called where it comes from; `file` unless given", examples: ["screenshot.png"] }),
});
const params = z.object({ id: z.string().meta({ description: "The id it was answered with" }) });
const file = z.object({
  id: z.string().describe("Who knows it may read the file"),
  url: z.string().describe("Where it is read"),
  name: z.string(),
  type: z.string(),
  size: z.int().describe("Bytes"),
});

/** `POST /files` and `GET /files/{id}`: what messages refer to, in a scope of its own. */
export function files(app: FastifyInstance, context: HttpContext): void {
  app.decorateRequest("fileType", "");
  app.removeAllContentTypeParsers();
  // The body is read as it comes, and never held as a whole.
  app.addContentTypeParser(RAW, (_, body, done) => done(null, body));
  app.addHook("onRequest", (request, _, next) => {
    const { headers } = request.raw;
    request.fileType = headers["content-type"] ?? "";
    // The framework refuses a Content-Type that it cannot read before any parser is asked.
    headers["content-type"] = RAW;
    next();
  });

  app.post(
    "/files",
    {
      schema: {
        summary: "Send a file",
        description:
          "The body is the content, and `Content-Type` what it is. Then publish a message with " +
          "`{text, files: [{id, url, name, type, size}]}`. Files are kept for as long as messages are.",
        tags: TAGS,
        querystring: query,
        body: z.unknown().meta({ description: "The content", examples: ["Hello"] }),
        consumes: ["text/plain", "*/*"],
        response: { 201: file },
      },
    },
    (request, reply) => post(request, reply, context),
  );

  app.get(
    "/files/:id",
    {
      schema: {
        summary: "Read a file",
        description: "Images are shown by browsers; all other files are downloads.",
        tags: ["receive"],
        params,
        querystring: z.strictObject({}),
        response: { 200: z.undefined().describe("The content") },
      },
    },
    (request, reply) => read(request, reply, context),
  );
}

declare module "fastify" {
  interface FastifyRequest {
    /** The Content-Type of a file that is sent. */
    fileType: string;
  }
}

async function post(request: FastifyRequest, reply: FastifyReply, context: HttpContext): Promise<FastifyReply> {
  const caller = callerOf(request.raw, principalOf(request, context), context);
  checkAnyGrant(caller.principal, "publish", "send files");
  const kept = filesOf(context);
  const { name: given } = request.query as z.output<typeof query>;
  const { "content-encoding": coding = "identity", "content-length": length = "0" } = request.raw.headers;
  if (!/^identity$/i.test(coding.trim())) {
    throw new HubError("UNSUPPORTED_MEDIA_TYPE", "A Content-Encoding is not read; send the file as it is");
  }
  if (/^multipart\//i.test(request.fileType.trim())) {
    const sentence = "Send the file itself as the body, as curl does with --data-binary @FILE, not with --form";
    throw new HubError("UNSUPPORTED_MEDIA_TYPE", sentence);
  }
  if (Number(length) > kept.most) {
    throw new HubError("BODY_TOO_LARGE", `The file has ${length} bytes; MAX_FILE_BYTES allows ${kept.most}`);
  }
  const about = { name: fileName(given), type: mediaType(request.fileType) };
  const admit = admitFor(context, caller);
  admit?.("publishes");
  admit?.("publish_bytes", 0);
  const body = request.body instanceof Readable ? request.body : Readable.from([]);
  const from = callerKey(caller.principal, caller.address);
  // A refusal has to be sent on the same connection, so the body is not destroyed.
  const content = body.iterator({ destroyOnReturn: false });
  const { id, name, type, size } = await kept.add(content, about, from).catch((error) => {
    body.resume();
    throw error;
  });
  admit?.("publish_bytes", size);
  const url = `${context.basePath}/files/${id}`;
  return reply.status(201).header("location", url).send({ id, url, name, type, size });
}

async function read(request: FastifyRequest, reply: FastifyReply, context: HttpContext): Promise<FastifyReply> {
  const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
  // Whoever may read or publish anything: the id is what this file is known by.
  if (principal.publish.length === 0) checkAnyGrant(principal, "read", "read files");
  context.rateLimits.admit(principal, address, "history_pages");
  const { id } = request.params as z.output<typeof params>;
  const found = await filesOf(context).read(id);
  if (found === undefined) throw new HubError("NOT_FOUND", "There is no such file: it was dropped, or never was");
  const { info, content } = found;
  reply.headers(fileHeaders(info));
  return reply.send(content instanceof Uint8Array ? Buffer.from(content) : Readable.from(content));
}

function filesOf({ files: kept }: HttpContext): Files {
  if (kept !== undefined) return kept;
  const sentence =
    "This hub has its log on Redis and takes no files: one that a node keeps would be missing on the others; publish a link instead";
  throw new HubError("NOT_SUPPORTED", sentence);
}

/** The last part of a path, on one line. Throws `INVALID_MESSAGE`. */
function fileName(given = ""): string {
  const name = given.replace(/^.*[\\/]/s, "").trim();
  return checkedLine("name", name === "" || /^\.+$/.test(name) ? "file" : name, MAX_NAME);
}
