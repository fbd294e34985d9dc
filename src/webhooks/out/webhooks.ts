import { LeaseHolder } from "../../core/lease.ts";
import { hubSource } from "../../core/hub-path.ts";
import type { Hub } from "../../core/hub.ts";
import type { Principal } from "../../core/principal.ts";
import type { Records } from "../../core/records.ts";
import type { SharedStore } from "../../core/shared-store.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { EventDialect } from "../../protocol/event-dialect.ts";
import type { AddressRules } from "./address-rules.ts";
import { SYSTEM_CLOCK, type Clock } from "./clock.ts";
import type { WebhookCounters } from "./delivery.ts";
import { forget, noted, watermark } from "./progress.ts";
import type { SafePosterOptions } from "./safe-post.ts";
import type { FailureCategory } from "./event-subscription.ts";
import type { Dispatchers, TestResult, Unverified } from "./dispatchers.ts";
import type { ConfiguredWebhook, Suspension, Webhook } from "./webhook.ts";
import { WebhookStore } from "./webhook-store.ts";
import { statusOf, type WebhookStatus } from "./status.ts";

export interface WebhooksOptions {
  readonly hub: Hub;
  readonly shared: SharedStore;
  readonly records: Records;
  readonly hubId: string;
  /** The address that clients know the hub by; empty if that is not said. */
  readonly publicUrl: string;
  readonly version: string;
  readonly rules: AddressRules;
  readonly configured: readonly ConfiguredWebhook[];
  /** Whether everyone may do everything: then no one has a right to lose. */
  readonly isOpen: boolean;
  /** Whether a principal has lost the right that it had by its credential. */
  readonly isGone: (principal: Principal) => boolean;
  /** The dialect in which MCP clients are told of events; `sketch` by default. */
  readonly dialect?: EventDialect | "off";
  readonly log: { warn(fields: object, sentence: string): void };
  /** For tests. */
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly post?: Omit<SafePosterOptions, "rules">;
  /** Milliseconds after which another node sends if the one that does is gone. */
  readonly lease?: number;
}

/** The topic on which nodes tell each other of changes. */
const TOPIC = "webhooks";
const LEASE = "webhooks";
const LEASE_LIFETIME = 10_000;
const UNRENEWED = "its owner has not renewed it";
/** Milliseconds between looks for a first webhook that this node was not told of. */
const LOOK = 10_000;

/** The webhooks of a hub. What sends them is loaded when there is one. */
export class Webhooks {
  readonly store: WebhookStore;
  readonly counters: WebhookCounters = { delivered: 0, failed: 0, givenUp: 0 };
  /** Webhooks that are suspended, as of the last look at them. */
  suspended = 0;
  readonly clock: Clock;
  readonly #options: WebhooksOptions;
  readonly #unsubscribe: () => void;
  #dispatchers: Dispatchers | undefined;
  #loading: Promise<Dispatchers> | undefined;
  #lease: LeaseHolder | undefined;
  #cancel: () => void = () => {};
  #isClosed = false;

  private constructor(options: WebhooksOptions) {
    const { records, shared, configured, clock = SYSTEM_CLOCK } = options;
    this.#options = options;
    this.clock = clock;
    const onChange = (): void => {
      this.#changed();
      // Other nodes look again by themselves if they are not told.
      void shared.publish(TOPIC, shared.node).catch(() => {});
    };
    this.store = new WebhookStore({ records, configured, onChange });
    this.#unsubscribe = shared.subscribe(TOPIC, (node) => {
      if (node !== shared.node) this.#changed();
    });
  }

  /** Rejects if the records cannot be read. */
  static async open(options: WebhooksOptions): Promise<Webhooks> {
    const webhooks = new Webhooks(options);
    await webhooks.store.prepare(options.hub.cursor(), webhooks.clock.now());
    await webhooks.#look();
    return webhooks;
  }

  /** Deliveries in progress. */
  get inFlight(): number {
    return this.#dispatchers?.inFlight ?? 0;
  }

  get rules(): AddressRules {
    return this.#options.rules;
  }

  /** How a webhook stands, on whichever node it is sent. */
  async status(webhook: Webhook): Promise<WebhookStatus> {
    const { hub, records } = this.#options;
    const record = await noted(records, webhook);
    const known = record?.start === webhook.start.number ? record : undefined;
    const before = (id: string): string => hub.cursor(Math.max((parseCursor(id)?.offset ?? 1) - 1, 0));
    return statusOf(webhook, record, known === undefined ? webhook.start.after : watermark(known, before));
  }

  async test(webhook: Webhook): Promise<TestResult> {
    return (await this.#load()).test(webhook);
  }

  /** Asks the endpoint of a subscription to be whether it wants it; undefined if it does. */
  async verify(endpoint: Unverified, challenge: string): Promise<FailureCategory | undefined> {
    return (await this.#load()).verify(endpoint, challenge);
  }

  async remove(id: string): Promise<void> {
    await this.store.remove(id);
    await forget(this.#options.records, id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancel();
    await this.#dispatchers?.stop();
    await this.#lease?.close();
  }

  /** Why its owner's right to a webhook is over; undefined while it is not. */
  lapse(webhook: Webhook): string | undefined {
    const { owner, channels, expires = Infinity } = webhook;
    const { isOpen, isGone } = this.#options;
    const isExpired = expires <= this.clock.now();
    // A subscription of an MCP client always has an end.
    if (isExpired && webhook.mcp !== undefined) return UNRENEWED;
    if (owner === undefined || isOpen) return undefined;
    if (isExpired) return UNRENEWED;
    if (owner.kind === "anonymous") return "it was made when no one needed a credential";
    const needed = { publish: [], subscribe: channels, admin: false, sendAs: false, expires: Date.now() };
    return isGone({ ...owner, ...needed })
      ? "its owner's key is revoked, or may no longer read its channels"
      : undefined;
  }

  #changed(): void {
    if (this.#isClosed) return;
    this.#cancel();
    void this.#look().catch(() => this.#lookAfter());
  }

  /** Starts to send, or to wait for the right to, when there is something to send. */
  async #look(): Promise<void> {
    const webhooks = await this.store.list();
    if (this.#isClosed) return;
    this.suspended = webhooks.filter(({ suspension }) => suspension !== undefined).length;
    if (webhooks.length > 0) await this.#start();
    this.#dispatchers?.look();
    // The configuration and this node's own door say it at once; another node's word may be lost.
    if (this.#options.shared.isShared || this.#dispatchers !== undefined) this.#lookAfter();
  }

  #lookAfter(): void {
    this.#cancel();
    const timer = setTimeout(() => this.#changed(), LOOK).unref();
    this.#cancel = () => clearTimeout(timer);
  }

  async #start(): Promise<void> {
    const dispatchers = await this.#load();
    if (this.#isClosed) return;
    const { shared, lease = LEASE_LIFETIME } = this.#options;
    const onHeld = ({ signal }: { readonly signal: AbortSignal }): void => dispatchers.start(signal);
    this.#lease ??= new LeaseHolder({ store: shared, name: LEASE, lifetime: lease, onHeld });
  }

  #load(): Promise<Dispatchers> {
    return (this.#loading ??= this.#open());
  }

  async #open(): Promise<Dispatchers> {
    const { Dispatchers: Loaded } = await import("./dispatchers.ts");
    const { hub, records, hubId, publicUrl, version, rules, log, post, dialect = "sketch" } = this.#options;
    const { random = Math.random } = this.#options;
    this.#dispatchers = new Loaded({
      hub,
      records,
      store: this.store,
      post: { ...post, rules },
      origin: { hubId, source: hubSource(publicUrl, hubId) },
      clock: this.clock,
      random,
      counters: this.counters,
      userAgent: `sse-mcp-server/${version}`,
      dialect,
      lapse: (webhook) => this.lapse(webhook),
      suspend: (webhook, reason) => this.#suspend(webhook, reason),
      log,
    });
    return this.#dispatchers;
  }

  async #suspend(webhook: Webhook, reason: Suspension["reason"]): Promise<void> {
    if (webhook.mcp !== undefined && reason === "credential") return this.#endSubscription(webhook);
    const { id, url, start } = webhook;
    const since = this.clock.now();
    const isNew = (found: Webhook): boolean => found.suspension === undefined && found.start.number === start.number;
    const changed = await this.store.change(id, (found) =>
      isNew(found) ? { ...found, suspension: { reason, since } } : undefined,
    );
    if (changed === undefined) return;
    this.#options.log.warn({ webhook: id, host: new URL(url).host, reason }, "a webhook was suspended");
  }

  /** An MCP client that did not renew its subscription knows that it is over; one that lost the right to it does not. */
  async #endSubscription(webhook: Webhook): Promise<void> {
    const reason = this.lapse(webhook);
    // It was renewed in this moment.
    if (reason === undefined) return;
    await this.remove(webhook.id);
    if (reason !== UNRENEWED) await this.#dispatchers?.terminate(webhook, reason);
  }
}
