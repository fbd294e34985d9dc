import { maySubscribe, type Principal } from "../core/principal.ts";
import type { ChannelName } from "../protocol/channel.ts";
import type { Question } from "../protocol/question.ts";
import { questionText, visibleText } from "../protocol/visible.ts";
import type { SafePoster } from "../webhooks/out/safe-post.ts";
import { encrypted } from "./push-encryption.ts";
import type { PushSubscription, PushSubscriptions } from "./push-subscriptions.ts";
import type { Vapid } from "./vapid.ts";
import { beginning, checkTaken, headline, type Notification, type Way } from "./way.ts";

/** What says whether the rights of a credential are still good. */
export interface PushAuth {
  readonly authenticator: { readonly isOpen: boolean; readonly anonymous: Principal };
  readonly lifetimes: { readonly isGone: (principal: Principal) => boolean };
}

export interface WebPushOptions {
  readonly subscriptions: PushSubscriptions;
  readonly vapid: Vapid;
  readonly auth: PushAuth;
  readonly poster: Pick<SafePoster, "post">;
}

/** Seconds for which a push service keeps a message for a browser that is away. */
const KEPT = 86_400;
/** Characters, each of at most four bytes, and six as JSON. */
const [MAX_TITLE, MAX_BODY] = [100, 400];
/** Messages that are sent at once. */
const AT_ONCE = 32;

/** Tells the browsers of those who may read the channel of a question, and answer it if only some may. */
export class WebPush implements Way {
  readonly kind = "web-push";
  readonly #options: WebPushOptions;

  constructor(options: WebPushOptions) {
    this.#options = options;
  }

  async send({ question }: Notification, signal: AbortSignal): Promise<number> {
    const all = await this.#options.subscriptions.all();
    const wanted = all.filter((subscription) => this.#isFor(subscription, question));
    let sent = 0;
    let failure: unknown;
    const next = wanted.values();
    const work = async (): Promise<void> => {
      for (const subscription of next) {
        signal.throwIfAborted();
        try {
          // Not in one expression: others add to it while this one waits.
          const taken = await this.#post(subscription, question, signal);
          sent += taken;
        } catch (error) {
          failure = error;
          if (!signal.aborted) await this.#options.subscriptions.failed(subscription);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    signal.throwIfAborted();
    // Whoever was told is not told again, only because another was not.
    if (sent === 0 && failure !== undefined) throw failure;
    return sent;
  }

  #isFor({ owner }: PushSubscription, { channel, assignees }: Question): boolean {
    const { authenticator, lifetimes } = this.#options.auth;
    if (owner.kind === "anonymous") return maySubscribe(authenticator.anonymous, channel as ChannelName);
    if ((owner.expires ?? Infinity) <= Date.now() || !maySubscribe(owner, channel as ChannelName)) return false;
    if (assignees?.includes(owner.subject) === false) return false;
    const needed = { publish: [], subscribe: [channel as ChannelName], admin: false, sendAs: false };
    return authenticator.isOpen || !lifetimes.isGone({ ...owner, ...needed });
  }

  /** Resolves with how many it was sent to: 0 if the browser does not want it any more. */
  async #post(subscription: PushSubscription, question: Question, signal: AbortSignal): Promise<number> {
    const { id, endpoint, keys } = subscription;
    const { vapid, poster, subscriptions } = this.#options;
    const url = new URL(endpoint);
    const headers = {
      authorization: await vapid.authorization(url),
      "content-encoding": "aes128gcm",
      "content-type": "application/octet-stream",
      ttl: String(KEPT),
      urgency: question.urgency,
      // A message that waits for a browser makes way for a newer one about the same question.
      topic: question.id,
    };
    const { status } = await poster.post(url, headers, encrypted(payloadOf(question), keys), signal);
    if (status === 404 || status === 410) {
      await subscriptions.remove(id);
      return 0;
    }
    checkTaken(status);
    await subscriptions.worked(subscription);
    return 1;
  }
}

/** What the worker in the browser shows; see `public/push-worker.js`. */
function payloadOf(question: Question): string {
  const { id, channel } = question;
  return JSON.stringify({
    id,
    title: beginning(visibleText(question.text), MAX_TITLE),
    body: beginning(`${headline(question, MAX_TITLE)}\n${questionText({ ...question, text: "" })}`.trim(), MAX_BODY),
    url: `chat#${channel}`,
  });
}
