import type { Question } from "../protocol/question.ts";
import { questionText } from "../protocol/visible.ts";
import type { SafePoster } from "../webhooks/out/safe-post.ts";
import { beginning, checkTaken, headline, type LinkedChoice, type Notification, type Way } from "./way.ts";

export interface NtfyOptions {
  /** The address of the topic, such as `https://ntfy.sh/on-call`. */
  readonly url: string;
  /** An access token; undefined for a topic that anyone may publish on. */
  readonly token?: string | undefined;
}

/** ntfy takes three, and JSON of at most 8 KiB with a message of at most 4 KiB: see its "Publish as JSON". */
const MAX_ACTIONS = 3;
const MAX_TITLE = 120;
/** Characters, each of which may have four bytes, and six as JSON. */
const MAX_MESSAGE = 800;
const MAX_LABEL = 40;

/** From 1 to 5, of which 3 is what ntfy takes if there is none. */
const PRIORITY: Readonly<Record<Question["urgency"], number>> = { low: 2, normal: 3, high: 4 };

/** Tells a topic of ntfy, with buttons that answer. */
export class Ntfy implements Way {
  readonly kind = "ntfy";
  readonly #server: URL;
  readonly #topic: string;
  readonly #token: string | undefined;
  readonly #poster: Pick<SafePoster, "post">;

  constructor({ url, token }: NtfyOptions, poster: Pick<SafePoster, "post">) {
    this.#topic = topicOf(url) ?? "";
    this.#server = new URL("/", url);
    this.#token = token;
    this.#poster = poster;
  }

  async send({ question, page, choices }: Notification, signal: AbortSignal): Promise<number> {
    const isAnswerable = choices.length > 0 && choices.length <= MAX_ACTIONS;
    const open = { action: "view", label: "Answer", url: page };
    const whole = questionText(question);
    const message = beginning(whole, MAX_MESSAGE);
    const isWhole = message === whole;
    const body = JSON.stringify({
      topic: this.#topic,
      title: headline(question, MAX_TITLE),
      message,
      priority: PRIORITY[question.urgency],
      tags: ["question"],
      click: page,
      actions: isAnswerable ? choices.map((choice) => actionOf(choice, isWhole)) : [open],
    });
    const { status } = await this.#poster.post(
      this.#server,
      {
        "content-type": "application/json",
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body,
      signal,
    );
    checkTaken(status);
    return 1;
  }
}

/** The topic in its URL; undefined if there is none: ntfy is always at the root of its host. */
export function topicOf(url: string): string | undefined {
  return /^https?:\/\/[^/?#]+\/([-_A-Za-z0-9]{1,64})$/.exec(url)?.[1];
}

/** A button that answers at once; for what cannot be undone, or is not shown whole, a page asks once more. */
function actionOf({ label, url, isDestructive }: LinkedChoice, isWhole: boolean): object {
  const shown = beginning(label, MAX_LABEL);
  return isDestructive || !isWhole || shown !== label
    ? { action: "view", label: shown, url }
    : { action: "http", label: shown, url, method: "POST", clear: true };
}
