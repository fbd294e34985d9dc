import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { noQuestion, questionClosed } from "../core/question-records.ts";
import { ANSWER_PATH, type LinkedAnswer } from "../notify/answer-links.ts";
import type { Question } from "../protocol/question.ts";
import { oneLineName } from "../protocol/text.ts";
import { visibleJson, visibleText } from "../protocol/visible.ts";
import type { HttpContext } from "./context.ts";
import { takeAnyBody } from "./json-body.ts";
import { asHubError } from "./problem-details.ts";
import { answerPage } from "./pages.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

const TAGS = ["questions"];
const params = z.object({
  token: z.string().meta({ description: "The last part of the link", examples: ["eyJ…"] }),
});
const answered = z
  .object({ id: z.string(), text: z.string(), value: z.unknown(), by: z.string(), at: z.iso.datetime() })
  .describe("The question as it was answered");
const HTML = {
  "content-type": "text/html; charset=utf-8",
  // With no referrer at all, browsers would send the form with the origin `null`.
  "referrer-policy": "same-origin",
  "content-security-policy": SECURITY_HEADERS["content-security-policy"]?.replace(
    "form-action 'none'",
    "form-action 'self'",
  ),
};
const PRIVATE = { "cache-control": "no-store", "x-robots-tag": "noindex" };

/** Whether a URL is that of a link that answers: whoever has one may use it from any page, such as that of ntfy. */
export function isAnswerLink(url: string): boolean {
  return url.startsWith(`${ANSWER_PATH}/`);
}

/** `/answer/{token}`: a page for people, whose button answers. Looking at it, as scanners of mail do, changes nothing. */
export function answerLinks(app: FastifyInstance, context: HttpContext): void {
  const { notify } = context;
  takeAnyBody(app);
  const find = async (request: FastifyRequest): Promise<LinkedAnswer & { readonly question: Question }> => {
    const { token } = request.params as z.output<typeof params>;
    const linked = await notify?.links.read(token);
    if (linked === undefined) {
      context.rateLimits.admit(undefined, context.addresses.of(request.raw), "failed_credentials");
      throw new HubError("NOT_FOUND", "This link answers nothing: a part of it is missing, or it is not from this hub");
    }
    const kept = await context.questions.get(linked.id);
    if (kept === undefined) throw noQuestion();
    return { ...linked, question: kept.question };
  };

  app.get(
    `${ANSWER_PATH}/:token`,
    {
      schema: { hide: true, params },
    },
    async (request, reply) => {
      try {
        const { question, value, by } = await find(request);
        if (question.state === "closed") throw questionClosed(question);
        return page(reply, "ask", request, {
          ...shown(question),
          label: labelOf(question, value),
          by,
        });
      } catch (error) {
        return told(request, reply, error, context);
      }
    },
  );

  app.post(
    `${ANSWER_PATH}/:token`,
    {
      schema: {
        summary: "Answer a question by its link",
        description:
          "No credential is needed besides the link, which gives one answer in one name, once. A browser is answered " +
          "with a page; for a later one, the problem says who has answered.",
        tags: TAGS,
        params,
        response: { 200: answered },
      },
    },
    async (request, reply) => {
      try {
        const { id, value, by } = await find(request);
        const question = await context.questions.answer(id, { answered: { value, by, via: "link" } });
        const { text, answered: said } = question;
        if (!wantsPage(request)) {
          return await reply.headers(PRIVATE).send({ id, text, value, by, at: said?.at });
        }
        const sentence = `${labelOf(question, value)}: that is what ${by} said to “${text}”.`;
        return page(reply, "told", request, { title: "Answered", sentence });
      } catch (error) {
        return told(request, reply, error, context);
      }
    },
  );
}

function wantsPage({ headers }: FastifyRequest): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? "");
}

/** Says why a link does not answer: to people on a page, to all others as a problem. */
function told(request: FastifyRequest, reply: FastifyReply, error: unknown, { limits }: HttpContext): FastifyReply {
  const known = asHubError(error, limits.body);
  reply.headers(PRIVATE);
  const { code, message, status } = known;
  if (code === "INTERNAL") throw error;
  // Without its details, which would have the whole question: a link shows no more than its page does.
  if (!wantsPage(request)) throw code === "QUESTION_CLOSED" ? new HubError(code, message) : known;
  const title = code === "QUESTION_CLOSED" ? "Closed already" : "Not answered";
  return page(reply.status(status), "told", request, { title, sentence: `${message}.` });
}

function page(
  reply: FastifyReply,
  kind: "ask" | "told",
  { url }: FastifyRequest,
  values: Readonly<Record<string, string>>,
): FastifyReply {
  const isDeep = (url.split("?", 1)[0] as string).endsWith("/");
  const base = isDeep ? "../../" : "../";
  const chat = `${base}chat#${values["channel"] ?? ""}`;
  const visible = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, visibleText(value)]));
  return reply.headers({ ...HTML, ...PRIVATE }).send(answerPage(kind, { ...visible, base, page: chat }));
}

function shown({ text, asker, channel, context = "", proposal }: Question): Readonly<Record<string, string>> {
  const exactly = proposal === undefined ? "" : `${proposal.name} ${visibleJson(proposal.arguments, 2)}`;
  return { text, asker: oneLineName(asker), channel, context, proposal: exactly };
}

/** What a button for this answer says. */
function labelOf({ answer }: Question, value: unknown): string {
  if (answer.kind === "confirm") return value === true ? (answer.yes ?? "Yes") : (answer.no ?? "No");
  const option = answer.kind === "choice" ? answer.options.find((one) => one.value === value) : undefined;
  return option?.label ?? String(value);
}
