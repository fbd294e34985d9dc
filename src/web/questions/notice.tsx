import { isObject } from "../../protocol/json.ts";
import { NOTIFIED_EVENT } from "../../protocol/question.ts";
import { visibleText } from "../../protocol/visible.ts";
import { readable } from "../shared/names.ts";

const WAYS: Readonly<Record<string, string>> = { ntfy: "ntfy", slack: "Slack", "web-push": "Web Push" };

interface Shown {
  readonly event: string;
  readonly via?: string | undefined;
  readonly data: unknown;
}

/** Whether a message of the server says how people were told of a question. */
export function isNotice({ event, via, data }: Shown): boolean {
  return event === NOTIFIED_EVENT && via === "question" && isObject(data);
}

/** How people were told of a question beside its channel, as a line of its own. */
export function NoticeLine({ data }: Pick<Shown, "data">) {
  const { name, way, count, error, text } = data as Readonly<Record<string, unknown>>;
  const where = `${readable(String(name))} (${WAYS[String(way)] ?? readable(String(way))})`;
  const failed = typeof error === "string";
  return (
    <div class="question-end">
      <p class={failed ? "failure" : "told"}>
        {failed
          ? `${where} could not be told: ${error}`
          : `${where} was told${Number(count) > 1 ? `, ${String(count)} times` : ""}`}
      </p>
      <span dir="auto">{visibleText(String(text))}</span>
    </div>
  );
}
