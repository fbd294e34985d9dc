import { z } from "zod";
import { isId, type RpcId } from "../../protocol/jsonrpc.ts";
import { problems } from "../../tools/index.ts";
import { idProblem, kindOf } from "../classify.ts";
import { MAX_BATCH } from "../empty-fields.ts";
import { BATCH_VERSION, CODES, isObject, McpError, type JsonObject, type McpErrorOptions } from "../errors.ts";
import type { RequestId } from "../request-context.ts";
import type { LegacySession } from "./session.ts";

/** Requests of one session that may be open at the same time. */
const MAX_AT_WORK = 256;
/** Characters of the capabilities of a client at most. */
const MAX_CAPABILITIES = 8192;
/** Names in an object of the protocol at most; the arguments of tools are not checked. */
const MAX_NAMES = 1000;
/** JSON-RPC codes of errors that HTTP answers in a session. */
export const REFUSED = -32000;
export const NO_SESSION = -32001;

const object = z.looseObject({});
const meta = z.looseObject({ progressToken: z.union([z.string(), z.int()]).optional() });
const params = z.looseObject({ _meta: meta.optional() }).optional();
const jsonrpc = z.literal("2.0");
const id = z.unknown();
const SCHEMAS = {
  request: z.strictObject({ jsonrpc, id, method: z.string(), params }),
  notification: z.strictObject({
    jsonrpc,
    method: z.string(),
    params: z.looseObject({ _meta: object.optional() }).optional(),
  }),
  result: z.strictObject({ jsonrpc, id, result: z.looseObject({ _meta: object.optional() }) }),
  error: z.strictObject({
    jsonrpc,
    id: id.optional(),
    error: z.looseObject({ code: z.int(), message: z.string() }),
  }),
} as const;
const INITIALIZE = z.object({
  params: z.looseObject({
    protocolVersion: z.string(),
    capabilities: z.looseObject({
      experimental: object.optional(),
      sampling: z.looseObject({ context: object.optional(), tools: object.optional() }).optional(),
      elicitation: z.looseObject({ form: object.optional(), url: object.optional() }).optional(),
      roots: z.looseObject({ listChanged: z.boolean().optional() }).optional(),
    }),
    clientInfo: z.looseObject({ name: z.string(), version: z.string() }),
  }),
});

/** A message that HTTP answers with an error, and its id, which the error repeats. */
export class Refusal extends McpError {
  readonly id: RpcId;

  constructor(status: number, code: number, sentence: string, asked: unknown, more: McpErrorOptions = {}) {
    super(code, sentence, { ...more, status });
    this.id = idOf(asked);
  }
}

/** The messages of a POST in a session. Throws `Refusal` if the session cannot accept them. */
export function checkedPost(
  body: unknown,
  session: Pick<LegacySession, "version" | "atWork" | "isInUse">,
): readonly JsonObject[] {
  const { version } = session;
  if (Array.isArray(body)) {
    if (version !== BATCH_VERSION) {
      const spoken = version ?? "no revision yet";
      throw invalid(`Batches exist in ${BATCH_VERSION} only; this session speaks ${spoken}`);
    }
    if (body.length === 0 || body.length > MAX_BATCH)
      throw invalid(`A batch has 1 to ${MAX_BATCH} messages; this one has ${body.length}`);
  }
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body];
  for (const message of messages) {
    checkMessage(message);
    if (version !== undefined && isObject(message) && message["method"] === "initialize")
      throw invalid("This session is initialized already; open another without Mcp-Session-Id", message);
  }
  const ids = idsOf(messages as readonly JsonObject[]);
  const again = ids.find((one, index) => session.isInUse(one) || ids.indexOf(one) < index);
  if (again !== undefined) throw invalid("A request with this id is being answered; use another id", { id: again });
  if (session.atWork + ids.length > MAX_AT_WORK) {
    const sentence = `${MAX_AT_WORK} requests of this session are being answered; wait for some`;
    throw new Refusal(503, 503, sentence, { id: ids[0] });
  }
  return messages as readonly JsonObject[];
}

/** Throws `Refusal` if a request cannot open a session. */
export function checkInitialize(body: JsonObject): void {
  checkMessage(body);
  const { protocolVersion, capabilities, clientInfo: client } = isObject(body["params"]) ? body["params"] : {};
  // Before they are validated: reporting a fault in each of many parts would cost more.
  if (JSON.stringify(capabilities ?? {}).length > MAX_CAPABILITIES) {
    const sentence = `params.capabilities has more than ${MAX_CAPABILITIES} characters; say only what the client can do`;
    throw new Refusal(400, CODES.invalidParams, sentence, body);
  }
  const clientInfo = isObject(client) ? { name: client["name"], version: client["version"] } : client;
  const given = { params: body["params"] === undefined ? undefined : { protocolVersion, capabilities, clientInfo } };
  const { error } = INITIALIZE.safeParse(given);
  if (error !== undefined) throw new Refusal(400, CODES.invalidParams, problems(error, given, []), body);
}

/** The ids of the requests among some messages. */
export function idsOf(messages: readonly JsonObject[]): readonly RequestId[] {
  return messages.flatMap((message) => (kindOf(message) === "request" ? [message["id"] as RequestId] : []));
}

function checkMessage(message: unknown): void {
  const kind = isObject(message) ? kindOf(message) : undefined;
  if (!isObject(message) || kind === undefined) {
    const example = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    throw invalid(idProblem(message) ?? `The body is not a JSON-RPC 2.0 message such as ${example}`, message);
  }
  const answer = message["error"] === undefined ? "result" : "error";
  const fault = crowded(message) ?? faultOf(message, SCHEMAS[kind === "response" ? answer : kind]);
  if (fault === undefined) return;
  const code = fault.startsWith("params") ? CODES.invalidParams : CODES.invalidRequest;
  throw new Refusal(400, code, fault, kind === "response" ? undefined : message);
}

function faultOf(message: JsonObject, schema: z.ZodType): string | undefined {
  const { error } = schema.safeParse(message);
  return error === undefined ? undefined : problems(error, message, []);
}

/** A sentence that names the object of a message with too many names; undefined if there is none. */
function crowded(message: JsonObject): string | undefined {
  for (const field of ["params", "result"]) {
    const value = message[field];
    if (!isObject(value)) continue;
    for (const [path, inner] of [
      [field, value],
      [`${field}._meta`, value["_meta"]],
    ] as const) {
      const names = isObject(inner) ? Object.keys(inner).length : 0;
      if (names > MAX_NAMES) return `${path} has ${names} properties; at most ${MAX_NAMES} are allowed`;
    }
  }
  return undefined;
}

function invalid(sentence: string, asked?: unknown): Refusal {
  return new Refusal(400, CODES.invalidRequest, sentence, asked);
}

/** The id of a message, if it has one that JSON-RPC allows. */
function idOf(body: unknown): RpcId {
  const given = isObject(body) ? body["id"] : null;
  return isId(given) ? given : null;
}
