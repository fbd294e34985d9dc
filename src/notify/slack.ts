import { isObject, parseJson } from "../protocol/json.ts";
import { questionText, visibleText } from "../protocol/visible.ts";
import type { SafePoster } from "../webhooks/out/safe-post.ts";
import { beginning, checkTaken, headline, Refused, type LinkedChoice, type Notification, type Way } from "./way.ts";

/** An incoming webhook, which has its channel in its URL; or a bot's token and the channel to post to. */
export type SlackOptions =
  | { readonly url: string }
  | { readonly token: string; readonly channel: string; readonly api?: string | undefined };

const API = "https://slack.com/api/";
/** Characters, by Slack's reference of blocks. */
const MAX_TEXT = 2800;
const MAX_HEAD = 150;
const MAX_BUTTON = 75;
/** Errors of Slack after which the same message may be taken later. */
const LATER: ReadonlySet<string> = new Set(["ratelimited", "internal_error", "fatal_error", "service_unavailable"]);

/** Tells a channel of Slack, with links to pages that ask once more before they answer. */
export class Slack implements Way {
  readonly kind = "slack";
  readonly #url: URL;
  readonly #token: string | undefined;
  readonly #channel: string | undefined;
  readonly #poster: Pick<SafePoster, "post">;

  constructor(options: SlackOptions, poster: Pick<SafePoster, "post">) {
    const isWebhook = "url" in options;
    this.#url = isWebhook ? new URL(options.url) : new URL("chat.postMessage", options.api ?? API);
    this.#token = isWebhook ? undefined : options.token;
    this.#channel = isWebhook ? undefined : options.channel;
    this.#poster = poster;
  }

  async send({ question, page, choices }: Notification, signal: AbortSignal): Promise<number> {
    const head = headline(question, MAX_HEAD);
    const body = JSON.stringify({
      ...(this.#channel === undefined ? {} : { channel: this.#channel }),
      // What notifications show, in which Slack reads markup: of what others wrote, none is left.
      text: escaped(`${head}: ${beginning(visibleText(question.text), MAX_HEAD)}`),
      blocks: [
        { type: "context", elements: [plain(head)] },
        { type: "section", text: plain(beginning(questionText(question), MAX_TEXT)) },
        { type: "actions", elements: [...choices.map(button), { ...link("Open the question", page) }] },
      ],
      unfurl_links: false,
      unfurl_media: false,
    });
    const { status, text } = await this.#poster.post(
      this.#url,
      {
        "content-type": "application/json; charset=utf-8",
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body,
      signal,
    );
    checkTaken(status);
    if (this.#token !== undefined) checkOk(text);
    return 1;
  }
}

function button({ label, url, isDestructive }: LinkedChoice): object {
  return { ...link(label, url), ...(isDestructive ? { style: "danger" } : {}) };
}

function link(label: string, url: string): object {
  return { type: "button", text: plain(beginning(label, MAX_BUTTON)), url };
}

/** Text without markup, links or mentions, whatever is in it. */
function plain(text: string): object {
  return { type: "plain_text", text, emoji: false };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The Web API answers 200, and says in the body whether it did anything. */
function checkOk(text: string): void {
  const said = answerIn(text);
  if (said["ok"] === true) return;
  const code = typeof said["error"] === "string" && /^\w{1,64}$/.test(said["error"]) ? said["error"] : "no reason";
  throw new Refused(`Slack refused it: ${code}`, LATER.has(code));
}

function answerIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const said = parseJson(text, "The answer of Slack");
    return isObject(said) ? said : {};
  } catch {
    return {};
  }
}
