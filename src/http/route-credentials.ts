import type { FastifySchema } from "fastify";
import { cookiePlace } from "../auth/cookie.ts";
import { isPublic } from "./authentication.ts";

type SecurityScheme =
  | { readonly type: "http"; readonly scheme: string; readonly description: string }
  | { readonly type: "apiKey"; readonly in: string; readonly name: string; readonly description: string };
type Requirement = Readonly<Record<string, string[]>>;

/** What a request can present, as OpenAPI says it. */
export function securitySchemes(basePath: string): Readonly<Record<string, SecurityScheme>> {
  const { name } = cookiePlace("hub", basePath);
  const session = "What /login and POST /session set; browsers send it by themselves";
  return {
    bearer: { type: "http", scheme: "bearer", description: "An API key, or an access token of a trusted issuer" },
    apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "An API key" },
    session: { type: "apiKey", in: "cookie", name, description: session },
    ticket: { type: "apiKey", in: "query", name: "ticket", description: "What POST /tickets gives, for one WebSocket" },
  };
}

const TOKENS: Requirement[] = [{ bearer: [] }, { apiKey: [] }];
const SESSION: Requirement = { session: [] };
/** In OpenAPI, a requirement that nothing is required. */
const NOTHING: Requirement = {};

const text = { type: "string" };
const PROBLEM = {
  "application/problem+json": {
    schema: {
      type: "object",
      properties: {
        type: text,
        title: text,
        status: { type: "integer" },
        detail: text,
        code: text,
        retry: { type: "boolean" },
      },
      required: ["type", "title", "status", "detail", "code", "retry"],
    },
  },
};
const RPC_ERROR = {
  "application/json": {
    schema: {
      type: "object",
      properties: {
        jsonrpc: text,
        id: {},
        error: {
          type: "object",
          properties: { code: { type: "integer" }, message: text },
          required: ["code", "message"],
        },
      },
      required: ["jsonrpc", "error"],
    },
  },
};
const CHALLENGE = { "WWW-Authenticate": { type: "string", description: "Which credential would do (RFC 6750)" } };
const RETRY = { "Retry-After": { type: "integer", description: "Seconds" } };

/** What may come of the credential of a request, whatever it asks for. */
function refusals(content: object): Record<string, object> {
  return {
    401: { description: "UNAUTHENTICATED: a credential is needed, or not valid", headers: CHALLENGE, content },
    403: { description: "FORBIDDEN: the credential does not grant it", headers: CHALLENGE, content },
    429: { description: "RATE_LIMITED: too much in too short a time", headers: RETRY, content },
  };
}

/** Adds to the description of a route which credentials it takes, and how it refuses. `isOptional`: some need none. */
export function withCredentials(
  schema: FastifySchema,
  url: string,
  method: string,
  isOptional: boolean,
): FastifySchema {
  const security = requirements(url, method, isOptional);
  if (security === undefined) return schema;
  const isRpc = schema.tags?.some((tag) => tag === "mcp" || tag === "tools");
  const { response = { 200: { type: "null", description: "Default Response" } } } = schema;
  return { ...schema, security, response: { ...refusals(isRpc ? RPC_ERROR : PROBLEM), ...(response as object) } };
}

function requirements(url: string, method: string, isOptional: boolean): Requirement[] | undefined {
  if (url === "/session" && method !== "DELETE") return method === "POST" ? TOKENS : [NOTHING, ...TOKENS, SESSION];
  if (isPublic(url)) return undefined;
  const ticket = url === "/ws" ? [{ ticket: [] }] : [];
  return [...(isOptional ? [NOTHING] : []), ...TOKENS, SESSION, ...ticket];
}
