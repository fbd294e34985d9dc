import type { Question } from "../../protocol/question.ts";
import { visibleText } from "../../protocol/visible.ts";
import { askServer } from "../shared/ask-server.ts";
import { duration } from "../shared/format.ts";
import { readable } from "../shared/names.ts";
import { linkTo } from "./place.ts";

/** Questions that are listed at most. */
const LISTED = 50;
const SECOND = 1000;

/** The open questions, and whether there are more. */
export interface OpenQuestionsListed {
  readonly questions: readonly Question[];
  readonly more: boolean;
}

/** Asks which questions are open; undefined if the hub does not say. */
export async function loadQuestions(): Promise<OpenQuestionsListed | undefined> {
  try {
    const page = await askServer(`questions?state=open&limit=${LISTED}`, { cache: "no-store" });
    const { questions, next } = page as { readonly questions: readonly Question[]; readonly next: string | null };
    return { questions, more: next !== null };
  } catch {
    return undefined;
  }
}

/** What waits for an answer of a person, the longest first, if anything does; it is answered in the chat. */
export function OpenQuestions({ listed: { questions, more } }: { readonly listed: OpenQuestionsListed }) {
  if (questions.length === 0) return null;
  return (
    <section class="panel nodes questions" aria-labelledby="questions-title">
      <header>
        <h2 id="questions-title">Questions that wait for an answer</h2>
        <p id="questions-count" class="count">
          {more ? `the oldest ${questions.length}` : questions.length}
        </p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Open questions, the oldest first">
        <table>
          <thead>
            <tr>
              {["Question", "Asked by", "Channel", "Waiting", "Time left", "Answer"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="question-rows">
            {questions.map((question) => (
              <Row key={question.id} question={question} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({
  question: { text: asked, asker, channel, askedAt, deadline, urgency },
}: {
  readonly question: Question;
}) {
  const text = visibleText(asked);
  const now = Date.now();
  const left = deadline === undefined ? undefined : Math.max((Date.parse(deadline) - now) / SECOND, 0);
  return (
    <tr>
      <th scope="row" title={text} dir="auto">
        {urgency === "high" && "Urgent: "}
        {text}
      </th>
      <td title={readable(asker)}>{readable(asker)}</td>
      <td>
        <a href={linkTo("channel", channel)}>{channel}</a>
      </td>
      <td>{duration(Math.max((now - Date.parse(askedAt)) / SECOND, 0))}</td>
      <td>{left === undefined ? "–" : duration(left)}</td>
      <td>
        <a href={`chat#${encodeURIComponent(channel)}`} aria-label={`Answer in ${channel}: ${text}`}>
          Answer
        </a>
      </td>
    </tr>
  );
}
