import { createHash } from "node:crypto";
import { ANYONE, type Principal } from "../core/principal.ts";
import type { Records } from "../core/records.ts";
import type { PushKeys } from "./push-encryption.ts";

/** A browser that is told of questions. */
export interface PushSubscription {
  readonly id: string;
  /** The address at its push service; whoever knows it and the key of the hub may send there. */
  readonly endpoint: string;
  readonly keys: PushKeys;
  /** Whose it is, with the rights of the credential it was made with. */
  readonly owner: Principal;
  /** When it was made or renewed, in milliseconds since 1970. */
  readonly renewed: number;
  /** Messages in a row that could not be sent. */
  readonly failures?: number;
}

const KIND = "push";
/** Subscriptions of one principal, and of all; the oldest makes room for another. */
const MAX_OWN = 10;
const MAX_ALL = 1000;
/** Messages in a row that cannot be sent, after which a browser is forgotten; its next visit makes it known again. */
const MAX_FAILURES = 10;

/** The browsers that are told of questions: kept with the log, the same on all nodes. */
export class PushSubscriptions {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Adds a browser, or renews it; it belongs to whoever did so last. */
  async add(endpoint: string, keys: PushKeys, owner: Principal): Promise<PushSubscription> {
    const id = createHash("sha256").update(endpoint).digest("hex").slice(0, 32);
    const subscription = { id, endpoint, keys, owner, renewed: Date.now() };
    const others = (await this.all()).filter((one) => one.id !== id).sort((a, b) => a.renewed - b.renewed);
    // Those who are not asked for credentials cannot be told apart.
    const own = others.filter((one) => one.owner.id === owner.id && owner.id !== ANYONE.id);
    const surplus = [...oldest(own, MAX_OWN), ...oldest(others, MAX_ALL)];
    await this.#records.set(KIND, id, JSON.stringify(subscription));
    await Promise.all(surplus.map((one) => this.remove(one.id)));
    return subscription;
  }

  async get(id: string): Promise<PushSubscription | undefined> {
    const text = await this.#records.get(KIND, id);
    return text === undefined ? undefined : (JSON.parse(text) as PushSubscription);
  }

  async all(): Promise<PushSubscription[]> {
    const texts = await this.#records.list(KIND);
    return Array.from(texts.values(), (text) => JSON.parse(text) as PushSubscription);
  }

  /** Notes that a message could not be sent. */
  async failed(subscription: PushSubscription): Promise<void> {
    const failures = (subscription.failures ?? 0) + 1;
    if (failures >= MAX_FAILURES) await this.remove(subscription.id);
    else await this.#replace(subscription, { ...subscription, failures });
  }

  /** Notes that a message was taken. */
  async worked({ failures, ...subscription }: PushSubscription): Promise<void> {
    if (failures !== undefined) await this.#replace({ ...subscription, failures }, subscription);
  }

  /** Not if it was renewed or removed meanwhile. */
  async #replace(before: PushSubscription, after: PushSubscription): Promise<void> {
    await this.#records.replace(KIND, before.id, JSON.stringify(before), JSON.stringify(after));
  }

  remove(id: string): Promise<void> {
    return this.#records.delete(KIND, id);
  }
}

/** Those that make room for one more. */
function oldest(list: readonly PushSubscription[], most: number): readonly PushSubscription[] {
  return list.slice(0, Math.max(0, list.length + 1 - most));
}
