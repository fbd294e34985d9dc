import type { Records } from "../../core/records.ts";
import { recordText, webhookOf, type ConfiguredWebhook, type Webhook } from "./webhook.ts";

const KIND = "webhook";

export interface WebhookStoreOptions {
  readonly records: Records;
  readonly configured: readonly ConfiguredWebhook[];
  /** Called after each change, also for those that other nodes need to hear of. */
  readonly onChange: () => void;
}

/** All webhooks: those that the door made, which are records, and those of the configuration, whose records have the rest. */
export class WebhookStore {
  readonly #records: Records;
  readonly #configured: ReadonlyMap<string, ConfiguredWebhook>;
  readonly #onChange: () => void;
  #adding: Promise<void> = Promise.resolve();

  constructor({ records, configured, onChange }: WebhookStoreOptions) {
    this.#records = records;
    this.#configured = new Map(configured.map((webhook) => [webhook.id, webhook]));
    this.#onChange = onChange;
  }

  /** Makes records for those that the configuration has and that are new: they begin after `cursor`. */
  async prepare(cursor: string, now: number): Promise<void> {
    for (const configured of this.#configured.values()) {
      const start = { number: 0, after: configured.after ?? cursor };
      const webhook: Webhook = { ...configured, owner: undefined, created: now, start };
      await this.#records.replace(KIND, configured.id, undefined, recordText(webhook));
    }
  }

  async list(): Promise<readonly Webhook[]> {
    const records = await this.#records.list(KIND);
    return [...records].flatMap(([id, text]) => webhookOf(id, text, this.#configured.get(id)) ?? []);
  }

  async get(id: string): Promise<Webhook | undefined> {
    const text = await this.#records.get(KIND, id);
    return text === undefined ? undefined : webhookOf(id, text, this.#configured.get(id));
  }

  /** `check` is called with those that there are, and throws if there may be no more. */
  async add(webhook: Webhook, check: (all: readonly Webhook[]) => void = () => {}): Promise<void> {
    // One after the other, so that those that come at once count each other.
    const before = this.#adding;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#adding = promise;
    await before;
    try {
      check(await this.list());
      await this.#records.set(KIND, webhook.id, recordText(webhook));
    } finally {
      resolve();
    }
    this.#onChange();
  }

  /** Changes one, whoever else changes it at the same time; undefined if there is none, or `change` says so. */
  async change(id: string, change: (webhook: Webhook) => Webhook | undefined): Promise<Webhook | undefined> {
    for (;;) {
      const before = await this.#records.get(KIND, id);
      const webhook = before === undefined ? undefined : webhookOf(id, before, this.#configured.get(id));
      const changed = webhook && change(webhook);
      if (changed === undefined) return undefined;
      if (!(await this.#records.replace(KIND, id, before, recordText(changed)))) continue;
      this.#onChange();
      return changed;
    }
  }

  async remove(id: string): Promise<void> {
    await this.#records.delete(KIND, id);
    this.#onChange();
  }
}
