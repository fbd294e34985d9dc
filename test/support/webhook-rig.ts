import type { Hub } from "../../src/core/hub.ts";
import type { Retention } from "../../src/core/log.ts";
import type { Principal } from "../../src/core/principal.ts";
import { openStorage } from "../../src/logs/open.ts";
import { AddressRules } from "../../src/webhooks/out/address-rules.ts";
import { newSecret } from "../../src/webhooks/out/signature.ts";
import type { WebhookStatus } from "../../src/webhooks/out/status.ts";
import type { ConfiguredWebhook, Webhook } from "../../src/webhooks/out/webhook.ts";
import { Webhooks, type WebhooksOptions } from "../../src/webhooks/out/webhooks.ts";
import { FakeClock } from "./fake-clock.ts";
import { until } from "./until.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "./sample.ts";

export interface RigOptions extends Partial<Pick<WebhooksOptions, "random" | "isGone" | "clock" | "post" | "lease">> {
  readonly data?: string;
  readonly configured?: readonly ConfiguredWebhook[];
  readonly retention?: Partial<Retention>;
}

/** Webhooks on a hub of their own, with a clock that stands still; they may go to loopback. */
export class WebhookRig implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly hub: Hub;
  readonly webhooks: Webhooks;
  readonly warnings: string[];
  readonly secret: string = newSecret();
  readonly #close: () => Promise<void>;
  #made = 0;

  private constructor(hub: Hub, webhooks: Webhooks, clock: FakeClock, warnings: string[], close: () => Promise<void>) {
    this.hub = hub;
    this.webhooks = webhooks;
    this.clock = clock;
    this.warnings = warnings;
    this.#close = close;
  }

  static async open(options: RigOptions = {}): Promise<WebhookRig> {
    const { data = "memory:", configured = [], retention, ...rest } = options;
    const { log, shared, records, ...storage } = await openStorage({
      data,
      durability: "normal",
      mirror: "temporary:",
      redis: { ca: "", cert: "", key: "" },
      retention: { ...FOREVER, ...retention },
    });
    const hub = await openHub(log);
    const clock = new FakeClock();
    const warnings: string[] = [];
    const webhooks = await Webhooks.open({
      hub,
      shared,
      records,
      hubId: "thishub000",
      publicUrl: "",
      version: "0.0.0",
      rules: new AddressRules(["127.0.0.0/8"]),
      configured,
      isOpen: false,
      isGone: () => false,
      log: { warn: (fields, sentence) => void warnings.push(`${sentence} ${JSON.stringify(fields)}`) },
      clock,
      ...rest,
    });
    return new WebhookRig(hub, webhooks, clock, warnings, async () => {
      await webhooks.close();
      await hub.close();
      await storage.close();
    });
  }

  /** Makes a webhook as `POST /webhooks` does. */
  async add(url: string, more: Partial<Webhook> = {}): Promise<Webhook> {
    const webhook: Webhook = {
      id: `wh_${this.#made++}`,
      url,
      channels: patternsOf("*"),
      events: [],
      format: "json",
      secrets: [{ secret: this.secret }],
      owner: { id: "key-00000000", subject: "ada", kind: "key" } satisfies Pick<Principal, "id" | "subject" | "kind">,
      created: this.clock.now(),
      start: { number: 0, after: this.hub.cursor() },
      ...more,
    };
    await this.webhooks.store.add(webhook);
    return webhook;
  }

  async publish(channel: string, data: unknown, more: Parameters<typeof draftOf>[2] = {}): Promise<string> {
    return (await this.hub.publish(draftOf(channel, data, more))).id as string;
  }

  async status({ id }: Webhook): Promise<WebhookStatus> {
    const webhook = await this.webhooks.store.get(id);
    if (webhook === undefined) throw new Error(`there is no webhook ${id}`);
    return this.webhooks.status(webhook);
  }

  /** Lets time pass until a condition holds, so many milliseconds each time that it does not. */
  async passes(step: number, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await until(what, async () => {
      if (await holds()) return true;
      this.clock.advance(step);
      return false;
    });
  }

  /** Goes on where it was suspended. */
  async resume({ id }: Webhook): Promise<void> {
    await this.webhooks.store.change(id, (webhook) => ({ ...webhook, suspension: undefined }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
