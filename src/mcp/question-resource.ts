import { HubError } from "../core/errors.ts";
import { isQuestionId } from "../protocol/question.ts";
import { mayLookAt, visibleQuestion } from "../tools/index.ts";
import type { TemplateDefinition } from "./definitions.ts";
import { json, notFound } from "./resources.ts";

const QUESTIONS = "hub://questions/";

/** Each question as a resource, for those who may look at it: as `GET /questions/{id}` gives it. */
export const questionTemplate: TemplateDefinition = {
  listing: {
    uriTemplate: `${QUESTIONS}{id}`,
    name: "question",
    title: "Question",
    description: "A question to people, with its answer once there is one",
    mimeType: "application/json",
  },
  resource(uri) {
    if (!uri.startsWith(QUESTIONS)) return undefined;
    const id = uri.slice(QUESTIONS.length);
    if (!isQuestionId(id)) {
      throw new HubError("INVALID_INPUT", "the id of a question is 24 hexadecimal digits, as ask_person returns it");
    }
    return {
      exists: ({ principal, questions }) => mayLookAt(id, principal, questions),
      follow: (changed, { questions }) => questions.watch(id, changed),
      async read({ principal, questions }) {
        try {
          return json(uri, (await visibleQuestion(id, principal, questions)).question);
        } catch (error) {
          if (error instanceof HubError && error.code === "NOT_FOUND") throw notFound(uri, error.message);
          throw error;
        }
      },
    };
  },
};
