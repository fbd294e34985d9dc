import { PassThrough } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { channelPattern } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import type { KeptQuestion } from "../core/question.ts";
import { EVERYTHING } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import type { Question } from "../protocol/question.ts";
import {
  answerQuestion,
  askQuestion,
  cancelQuestion,
  checkedInput,
  listQuestions,
  questionInput,
  readQuestion,
  visibleQuestion,
  type QuestionInput,
  type RequestContext,
} from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { clientName } from "../ops/open-connections.ts";
import { ConnectionCall } from "./connection-call.ts";
import { callerOf, requestContext, type HttpContext } from "./context.ts";
import { sendJson, takeAnyBody, type SentBody } from "./json-body.ts";
import { dataIn, isJsonType } from "./message-body.ts";

const TAGS = ["questions"];
const PAGE = 50;
const MAX_LIMIT = 100;
/** Seconds that a caller waits at most. */
const MAX_WAIT = 3600;
/** Seconds after which a caller that waits is sent white space, again and again, so that no proxy takes it for idle. */
const BLANK = 15;

const wait = z.coerce
  .number()
  .min(0)
  .max(MAX_WAIT)
  .optional()
  .describe("Answer only when it is closed, or its deadline has passed, or after so many seconds");
const askQuery = z.strictObject({
  channel: z.string().optional().describe("Where to ask; `default` unless given here or in the body"),
  wait,
});
const lookQuery = z.strictObject({ wait });
const keyed = z.looseObject({
  "idempotency-key": z.string().optional().describe("The same key again is answered with what it made"),
});
const params = z.object({
  id: z
    .string()
    .meta({ description: "What it was answered with when it was asked", examples: ["5f1c20ab9e41d7023c6b8e9a"] }),
});
const listQuery = z.strictObject({
  state: z.enum(["open", "closed"]).optional().describe("Only those; all that are kept unless given"),
  channel: z.string().optional().describe("Only those on a channel, or on the channels of a pattern"),
  after: z.string().optional().describe("`next` of the page before"),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(PAGE).describe("Entries at most"),
});
const answerBody = z.strictObject({
  value: z.unknown().meta({
    description: "true or false, a value or text, an array of values, or the fields of the form",
    examples: [true],
  }),
  proposalHash: z.string().optional().describe("`proposal.hash` as it was shown: another one is refused"),
  by: z.string().optional().describe("Who answers; the name of the credential unless given"),
  via: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, "use a word such as page, link or slack")
    .default("rest")
    .describe("Where it is answered, such as page"),
});
const cancelBody = z.strictObject({ by: z.string().optional().describe("Who cancels it") });
const question = z
  .looseObject({
    id: z.string(),
    channel: z.string(),
    text: z.string(),
    answer: z.looseObject({ kind: z.enum(["confirm", "choice", "text", "form"]) }),
    urgency: z.enum(["low", "normal", "high"]),
    onTimeout: z.enum(["keep", "deny", "default"]),
    asker: z.string(),
    askedAt: z.iso.datetime(),
    state: z.enum(["open", "closed"]),
    outcome: z.enum(["answered", "timed_out", "cancelled", "superseded"]).optional(),
    answered: z
      .looseObject({ value: z.unknown(), by: z.string(), at: z.iso.datetime(), via: z.string() })
      .optional()
      .describe("Set if a person answered"),
    notified: z.int().optional().describe("How many live readers were told of it"),
  })
  .describe("With the members that it was asked with, and those of its state");
const page = z.object({
  questions: z.array(question),
  next: z.string().nullable().describe("What to go on with as `after`; null at the end"),
});

/** `/questions…`: asking people, and answering, in a scope of its own. */
export function questionRoutes(app: FastifyInstance, context: HttpContext): void {
  const { questions } = context;
  takeAnyBody(app);

  app.post(
    "/questions",
    {
      schema: {
        summary: "Ask people a question",
        description:
          "As JSON, all of a question. Any other body is the text of a question that is answered with yes or no. 200 if " +
          "the question was asked before, with the same idempotency key or an open one with its `dedupeKey`.",
        tags: TAGS,
        querystring: askQuery,
        headers: keyed,
        body: questionInput,
        consumes: ["application/json", "text/plain", "*/*"],
        response: { 200: question, 201: question },
      },
    },
    (request, reply) => {
      const { channel, wait: seconds } = request.query as z.output<typeof askQuery>;
      const input = inputOf(request.body as SentBody | null, channel);
      return waited(request, reply, seconds, context, async (call) => {
        const { kept, joined } = await askQuestion(input, keyOf(request), call);
        if (joined) reply.header("idempotent-replayed", "true");
        reply.status(joined ? 200 : 201).header("location", `${context.basePath}/questions/${kept.question.id}`);
        return kept;
      });
    },
  );

  app.get(
    "/questions",
    {
      schema: {
        summary: "List questions",
        description: "Those on channels that you may read, in the order in which they were asked.",
        tags: TAGS,
        querystring: listQuery,
        response: { 200: page },
      },
    },
    async (request, reply) => {
      const { state, channel, after, limit } = request.query as z.output<typeof listQuery>;
      const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
      context.rateLimits.admit(principal, address, "history_pages");
      const pattern = channel === undefined ? EVERYTHING : channelPattern(channel);
      const found = await listQuestions({ pattern, state, after, limit }, principal, questions);
      return reply.header("cache-control", "no-store").send(found);
    },
  );

  app.get(
    "/questions/:id",
    {
      schema: {
        summary: "Look at a question, or wait for its answer",
        tags: TAGS,
        params,
        querystring: lookQuery,
        response: { 200: question },
      },
    },
    (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      const { wait: seconds } = request.query as z.output<typeof lookQuery>;
      return waited(request, reply, seconds, context, ({ principal }) => visibleQuestion(id, principal, questions));
    },
  );

  app.post(
    "/questions/:id/answer",
    {
      schema: {
        summary: "Answer a question",
        description:
          "The first valid answer counts: for a later one, the problem has the `question` as it was answered.",
        tags: TAGS,
        params,
        headers: keyed,
        body: answerBody,
        response: { 200: question },
      },
    },
    async (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      const given = objectIn(request.body as SentBody | null, "{ value }");
      const { value, proposalHash, by, via } = checkedInput([], answerBody, given);
      const answer = { value, proposalHash, by, via, key: keyOf(request) };
      return send(reply, await answerQuestion(id, answer, callOf(request, context)));
    },
  );

  app.post(
    "/questions/:id/cancel",
    {
      schema: {
        summary: "Cancel a question",
        description: "For whoever asked it, and for admins.",
        tags: TAGS,
        params,
        body: cancelBody,
        response: { 200: question },
      },
    },
    async (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      const body = request.body as SentBody | null;
      const { by } = checkedInput(
        [],
        cancelBody,
        body === null || body.bytes.length === 0 ? {} : objectIn(body, "{ by }"),
      );
      return send(reply, await cancelQuestion(id, by, callOf(request, context)));
    },
  );
}

function callOf(request: FastifyRequest, context: HttpContext, call?: ConnectionCall): RequestContext {
  const { socket } = request.raw;
  const caller = callerOf(request.raw, principalOf(request, context), context);
  const client = clientName(request.headers);
  return requestContext(context, call ?? new ConnectionCall(socket), socket, caller, request, { client });
}

/** A question as it came: JSON, or a text that is one to be answered with yes or no. */
function inputOf(body: SentBody | null, channel: string | undefined): QuestionInput {
  const where = channel === undefined ? {} : { channel };
  if (isJsonType(body?.type ?? "")) return readQuestion({ ...where, ...objectIn(body, "{ text }") });
  const text = String(dataIn(body));
  // What curl sends with -d alone has the type of a form.
  if (text.trimStart().startsWith("{")) return readQuestion({ ...where, ...objectIn(body, "{ text }") });
  return readQuestion({ ...where, text: text.trim() });
}

function objectIn(body: SentBody | null, example: string): Readonly<Record<string, unknown>> {
  const given = dataIn(body === null ? null : { ...body, type: "application/json" });
  if (isObject(given)) return given;
  throw new HubError("INVALID_REQUEST", `The body must be a JSON object, such as ${example}`);
}

function keyOf(request: FastifyRequest): string | undefined {
  const { "idempotency-key": key } = request.headers as z.output<typeof keyed>;
  // Bytes of UTF-8 and of Latin-1 would be two keys for one text.
  if (key !== undefined && (!/^[\t\x20-\x7e]{1,255}$/.test(key) || key.trim() === "")) {
    throw new HubError("INVALID_INPUT", "the idempotency key must be 1 to 255 characters of ASCII, such as a UUID");
  }
  return key;
}

/** Answers with a question: at once, or when it is closed, its deadline has passed or the time is up. */
async function waited(
  request: FastifyRequest,
  reply: FastifyReply,
  seconds: number | undefined,
  context: HttpContext,
  find: (call: RequestContext) => Promise<KeptQuestion>,
): Promise<FastifyReply> {
  const { questions } = context;
  if (seconds === undefined || seconds === 0) return send(reply, (await find(callOf(request, context))).question);
  const connection = new ConnectionCall(request.raw.socket);
  const call = callOf(request, context, connection);
  const leave = call.stay(() => connection.abort());
  const done = (): void => {
    leave();
    connection[Symbol.dispose]();
  };
  try {
    const kept = await find(call);
    const waiting = questions.wait(kept, seconds * 1000, call.signal).finally(done);
    // The status of an answer that begins now cannot be changed, so what can fail comes before.
    if (seconds > BLANK && kept.question.state === "open") return sendLate(reply, waiting);
    return send(reply, (await waiting).question);
  } catch (error) {
    done();
    throw error;
  }
}

function send(reply: FastifyReply, found: Question): FastifyReply {
  return sendJson(reply.header("cache-control", "no-store"), JSON.stringify(found));
}

/** Sends the head at once, and white space until there is an answer: JSON may begin with it (RFC 8259 section 2). */
function sendLate(reply: FastifyReply, waiting: Promise<KeptQuestion>): FastifyReply {
  const body = new PassThrough();
  body.write("\n");
  const blank = setInterval(() => body.write("\n"), BLANK * 1000);
  void waiting
    .then(
      ({ question: found }) => body.end(JSON.stringify(found)),
      (error: Error) => body.destroy(error),
    )
    .finally(() => clearInterval(blank));
  const headers = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };
  return reply.headers(headers).header("content-type", "application/json; charset=utf-8").send(body);
}
