import type { FastifyInstance, FastifyReply } from "fastify";
import { HubError } from "../core/errors.ts";
import { isDeeper, MAX_DEPTH } from "../wire/depth.ts";

/** Takes the bodies of all routes of a scope as text, whatever their Content-Type says. */
export function takeAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  // The framework refuses a Content-Type that it cannot read before any parser is asked.
  scope.addHook("onRequest", ({ raw }, _, done) => {
    raw.headers["content-type"] = "application/json";
    done();
  });
}

/** Sends what is JSON already. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header("content-type", "application/json; charset=utf-8").send(text);
}

/** The text of a body as JSON. Throws `INVALID_JSON` or `INVALID_REQUEST`. */
export function jsonBody(body: unknown): unknown {
  let json: unknown;
  try {
    json = JSON.parse(body as string);
  } catch (cause) {
    throw new HubError("INVALID_JSON", "The body is not JSON", { cause });
  }
  if (isDeeper(json, MAX_DEPTH)) {
    throw new HubError("INVALID_REQUEST", `The body is nested deeper than ${MAX_DEPTH} levels; flatten it`);
  }
  return json;
}
