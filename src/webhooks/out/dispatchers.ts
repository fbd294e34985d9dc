import { randomUUID } from "node:crypto";
import { EVENT_CODES } from "../../protocol/event-dialect.ts";
import type { DispatchContext } from "./delivery.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Destinations } from "./destinations.ts";
import { testEnvelope, type Envelope } from "./envelope.ts";
import { categoryOf, controlEnvelope, isEcho, type FailureCategory } from "./event-subscription.ts";
import { PostFault, SafePoster, type PostAnswer, type SafePosterOptions } from "./safe-post.ts";
import { signed, type SigningSecret } from "./signature.ts";
import type { Webhook } from "./webhook.ts";
import type { WebhookStore } from "./webhook-store.ts";

/** What a test of a webhook found. */
export interface TestResult {
  readonly id: string;
  readonly delivered: boolean;
  /** The HTTP status of the answer; null if there was none. */
  readonly status: number | null;
  readonly error: string | null;
  readonly milliseconds: number;
}

export interface DispatchersOptions extends Omit<DispatchContext, "poster" | "destinations"> {
  readonly store: WebhookStore;
  readonly post: SafePosterOptions;
}

/** Where something is posted that is no message. */
interface Target {
  readonly url: string;
  readonly secrets: readonly SigningSecret[];
  /** Whose it is, by the id of the principal. */
  readonly owner: string | undefined;
}

/** An endpoint that has not been asked yet. */
export interface Unverified extends Target {
  /** The id that the subscription will have. */
  readonly id: string;
}

interface Running {
  /** What of the webhook it was started with. */
  readonly text: string;
  readonly dispatcher: Dispatcher;
  readonly ended: Promise<void>;
}

/** Milliseconds between looks at the webhooks, for what was not heard of. */
const LOOK = 10_000;
/** Milliseconds before a webhook whose records could not be read is tried again. */
const AGAIN = 1000;

/** The dispatchers of all webhooks, one for each, while this node is the one that sends; and what is posted besides. */
export class Dispatchers {
  readonly #options: DispatchersOptions;
  readonly #context: DispatchContext;
  readonly #running = new Map<string, Running>();
  /** Identifies this run of sending: new each time that this node begins to send. */
  #holder: string | undefined;
  #isLooking = false;
  #isStale = false;
  #cancel: () => void = () => {};

  constructor(options: DispatchersOptions) {
    this.#options = options;
    const destinations = new Destinations(options.clock);
    this.#context = { ...options, destinations, poster: new SafePoster(options.post) };
  }

  /** Deliveries in progress. */
  get inFlight(): number {
    return this.#context.destinations.active;
  }

  /** Sends until the signal is aborted. */
  start(signal: AbortSignal): void {
    if (signal.aborted) return;
    const holder = randomUUID();
    this.#holder = holder;
    signal.addEventListener("abort", () => {
      if (this.#holder === holder) void this.stop();
    });
    this.look();
  }

  /** Looks at the webhooks now, if this node sends. */
  look(): void {
    this.#isStale = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
      // It may have been asked to between its last look and now, such as when this node begins to send.
      if (this.#isStale && this.#holder !== undefined) this.look();
    });
  }

  /** Resolves when nothing more is sent, and what was is noted. */
  async stop(): Promise<void> {
    this.#holder = undefined;
    this.#cancel();
    for (const { dispatcher } of this.#running.values()) dispatcher.stop();
    await Promise.all(Array.from(this.#running.values(), ({ ended }) => ended));
  }

  /** Sends a webhook a message that says nothing, whichever node sends the others. */
  async test(webhook: Webhook): Promise<TestResult> {
    const { clock, origin, userAgent } = this.#options;
    const url = new URL(webhook.url);
    const begun = clock.now();
    const id = `test_${randomUUID().replaceAll("-", "")}`;
    const { headers, body } = testEnvelope(id, begun, webhook.format, origin);
    const { signal } = new AbortController();
    const leave = await this.#context.destinations.enter(url.host, webhook.owner?.id, signal);
    const all = { "user-agent": userAgent, ...headers, ...signed(id, begun, body, webhook.secrets) };
    try {
      const { status } = await this.#context.poster.post(url, all, body, signal);
      const delivered = status >= 200 && status < 300;
      return { id, delivered, status, error: null, milliseconds: clock.now() - begun };
    } catch (error) {
      if (!(error instanceof PostFault)) throw error;
      return { id, delivered: false, status: null, error: error.message, milliseconds: clock.now() - begun };
    } finally {
      leave();
    }
  }

  /** Asks an endpoint whether it wants what is to be posted to it; undefined if it does. */
  async verify({ id, ...target }: Unverified, challenge: string): Promise<FailureCategory | undefined> {
    const { origin } = this.#options;
    const envelope = controlEnvelope("verification", { challenge }, challenge, {
      subscription: id,
      path: origin.hubId,
    });
    try {
      const { status, text } = await this.#post(target, envelope);
      return status >= 200 && status < 300 && isEcho(text, challenge) ? undefined : "challenge_failed";
    } catch (error) {
      if (error instanceof PostFault) return categoryOf(error.kind);
      throw error;
    }
  }

  /** Tells an MCP client once that its subscription has ended. */
  async terminate({ id, url, secrets, owner }: Webhook, reason: string): Promise<void> {
    const { origin, dialect } = this.#options;
    if (dialect === "off") return;
    const error = { code: EVENT_CODES[dialect].forbidden, message: "Forbidden", data: { reason } };
    const envelope = controlEnvelope("terminated", { error }, id, { subscription: id, path: origin.hubId });
    await this.#post({ url, secrets, owner: owner?.id }, envelope).catch((failed: unknown) => {
      if (!(failed instanceof PostFault)) throw failed;
    });
  }

  async #post({ url, owner, secrets }: Target, { id, headers, body }: Envelope): Promise<PostAnswer> {
    const { clock, userAgent } = this.#options;
    const target = new URL(url);
    const { signal } = new AbortController();
    const leave = await this.#context.destinations.enter(target.host, owner, signal);
    try {
      const all = { "user-agent": userAgent, ...headers, ...signed(id, clock.now(), body, secrets) };
      return await this.#context.poster.post(target, all, body, signal);
    } finally {
      leave();
    }
  }

  async #look(): Promise<void> {
    while (this.#isStale && this.#holder !== undefined) {
      this.#isStale = false;
      this.#cancel();
      try {
        await this.#compare(await this.#options.store.list());
      } catch {
        // The log is away: what runs goes on, and the next look is soon.
        this.#lookAfter(AGAIN);
        return;
      }
      this.#lookAfter(LOOK);
    }
  }

  #lookAfter(milliseconds: number): void {
    this.#cancel();
    if (this.#holder !== undefined) this.#cancel = this.#options.clock.after(milliseconds, () => this.look());
  }

  /** Starts what is new, stops what is gone, and restarts what has changed. */
  async #compare(webhooks: readonly Webhook[]): Promise<void> {
    const wanted = new Map<string, Webhook>();
    for (const webhook of webhooks) {
      const isOff = webhook.mcp !== undefined && this.#options.dialect === "off";
      if (webhook.suspension !== undefined || isOff) continue;
      if (this.#options.lapse(webhook) === undefined) wanted.set(webhook.id, webhook);
      else await this.#options.suspend(webhook, "credential");
    }
    const stopped: Promise<void>[] = [];
    for (const [id, { text, dispatcher, ended }] of this.#running) {
      const webhook = wanted.get(id);
      if (webhook !== undefined && textOf(webhook) === text) {
        dispatcher.update(webhook);
        continue;
      }
      dispatcher.stop();
      stopped.push(ended);
    }
    await Promise.all(stopped);
    for (const webhook of wanted.values()) if (!this.#running.has(webhook.id)) this.#run(webhook);
  }

  #run(webhook: Webhook): void {
    const holder = this.#holder;
    if (holder === undefined) return;
    const dispatcher = new Dispatcher(webhook, this.#context);
    const { log, clock } = this.#options;
    const ended = dispatcher
      .run(`${holder} ${randomUUID()}`)
      .catch((error: unknown) => log.warn({ webhook: webhook.id, err: error }, "a webhook cannot be sent now"))
      .finally(() => {
        this.#running.delete(webhook.id);
        // Unless it is suspended or stopped, it is to go on.
        if (this.#holder === holder) clock.after(AGAIN, () => this.look());
      });
    this.#running.set(webhook.id, { text: textOf(webhook), dispatcher, ended });
  }
}

/** Everything that makes a difference to what is sent, without how it is signed and how long it is good. */
function textOf({ mcp, ...webhook }: Webhook): string {
  return JSON.stringify({ ...webhook, secrets: undefined, expires: undefined, mcp: mcp?.name, senders: mcp?.senders });
}
