import type { Answer, AnswerForm, Question } from "../../protocol/question.ts";
import { clock, fullTime } from "../shared/times.ts";

const VIA: Readonly<Record<string, string>> = {
  page: "in the chat",
  app: "in an agent's app",
  mcp: "over MCP",
  rest: "over HTTP",
  cli: "in a terminal",
  link: "by a link",
};

/** An answer as people read it. */
function answerText(form: AnswerForm, value: Answer): string {
  if (form.kind === "confirm") return value === true ? (form.yes ?? "Yes") : (form.no ?? "No");
  if (form.kind === "choice") {
    const labelOf = (one: unknown): string => {
      const option = form.options.find((each) => each.value === one);
      return option?.label ?? String(one);
    };
    return Array.isArray(value) ? value.map(labelOf).join(", ") || "None of them" : labelOf(value);
  }
  if (typeof value === "string") return value;
  const titleOf = (name: string): string => (form.kind === "form" && form.schema.properties[name]?.title) || name;
  return Object.entries(value)
    .map(([name, one]) => `${titleOf(name)}: ${String(one)}`)
    .join("\n");
}

/** How a question ended. */
export function outcomeText(question: Question): { readonly mark: string; readonly text: string; readonly by: string } {
  const { outcome, answered, answer, defaultAnswer, closedAt = "", closedBy, onTimeout } = question;
  const at = clock(new Date(closedAt));
  if (answered !== undefined) {
    const where = VIA[answered.via] ?? `by ${answered.via}`;
    return { mark: "✓", text: answerText(answer, answered.value), by: `${answered.by}, ${at}, ${where}` };
  }
  if (outcome === "cancelled") return { mark: "×", text: "Withdrawn", by: `${closedBy ?? "the server"}, ${at}` };
  if (outcome === "superseded") return { mark: "×", text: "A newer question took its place", by: at };
  const counts = onTimeout === "default" && defaultAnswer !== undefined;
  const rest = counts ? `: ${answerText(answer, defaultAnswer)} counts` : "";
  return { mark: "–", text: `No answer in time${rest}`, by: at };
}

/** How much time is left, to the second below an hour; negative times are over. */
export function timeLeft(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds <= 0) return "time is up";
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours >= 48) return `${Math.floor(hours / 24)} days left`;
  if (hours > 0) return `${hours} h ${minutes} min left`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")} left`;
}

/** When a question is due, in words for a title. */
export function dueText({ deadline = "", onTimeout }: Question): string {
  const then = { keep: "it can still be answered then", deny: "it is closed then", default: "the default counts then" };
  return `Due ${fullTime(new Date(deadline))}; ${then[onTimeout]}`;
}
