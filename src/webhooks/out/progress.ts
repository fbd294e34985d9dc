import { z } from "zod";
import type { Records } from "../../core/records.ts";
import { GAP_REASONS, type GapReason } from "../../protocol/signal.ts";
import { offsetOf } from "../../protocol/cursor.ts";
import type { PostFault } from "./safe-post.ts";
import type { Webhook } from "./webhook.ts";

const KIND = "webhook-progress";
/** Attempts that are kept. */
const LAST = 20;

/** Messages that the log no longer had, or an unknown place in it. */
export interface PendingGap {
  readonly reason: GapReason;
  readonly after: string;
  readonly resumed: string;
}

/** A message that was read and not delivered yet. Its content is read again for each try. */
export interface Pending {
  /** The id of the message, or what the gap ends with. */
  readonly id: string;
  gap?: PendingGap | undefined;
  tries: number;
  /** When it was tried first, in milliseconds since 1970. */
  since?: number | undefined;
  /** When it is to be tried next. */
  due: number;
}

/** One try to deliver a message. */
export interface Attempt {
  /** The `webhook-id` of the delivery. */
  readonly id: string;
  /** Which try of it this was, from 1. */
  readonly attempt: number;
  readonly time: number;
  readonly milliseconds: number;
  /** The HTTP status of the answer; undefined if there was none. */
  readonly status?: number | undefined;
  readonly outcome: "delivered" | "failed" | "given_up";
  readonly error?: string | undefined;
  /** Set if there was no answer. */
  readonly fault?: PostFault["kind"] | undefined;
}

/** What is noted of a webhook's progress. */
export interface ProgressRecord {
  /** Who sends: only its writes are taken. */
  readonly holder: string;
  /** The number of the webhook's start that this progress began from. */
  readonly start: number;
  /** Every message up to here was delivered, given up, or is pending. */
  read: string;
  readonly pending: Pending[];
  readonly attempts: Attempt[];
  delivered: number;
  lastSuccess?: number | undefined;
  failingSince?: number | undefined;
}

const gap = z.object({ reason: z.enum(GAP_REASONS), after: z.string(), resumed: z.string() });
const pending = z.object({
  id: z.string(),
  gap: gap.optional(),
  tries: z.int(),
  since: z.number().optional(),
  due: z.number(),
});
const attempt = z.object({
  id: z.string(),
  attempt: z.int(),
  time: z.number(),
  milliseconds: z.number(),
  status: z.int().optional(),
  outcome: z.enum(["delivered", "failed", "given_up"]),
  error: z.string().optional(),
  fault: z.enum(["address", "name", "connection", "tls", "timeout"]).optional(),
});
const progress: z.ZodType<ProgressRecord> = z.object({
  holder: z.string(),
  start: z.int(),
  read: z.string(),
  pending: z.array(pending),
  attempts: z.array(attempt),
  delivered: z.int(),
  lastSuccess: z.number().optional(),
  failingSince: z.number().optional(),
});

/** How far a webhook has come, as it was noted last; undefined if it has not begun. */
export async function noted(records: Records, webhook: Webhook): Promise<ProgressRecord | undefined> {
  return parsed(await records.get(KIND, webhook.id));
}

export function forget(records: Records, id: string): Promise<void> {
  return records.delete(KIND, id);
}

/** The cursor up to which everything is delivered or given up: the contiguous prefix. */
export function watermark(
  { read, pending: items }: Pick<ProgressRecord, "read" | "pending">,
  before: (id: string) => string,
): string {
  const [first] = items.map(({ id }) => id).toSorted((a, b) => offsetOf(a) - offsetOf(b));
  return first === undefined ? read : before(first);
}

/** How far a webhook has come: a record that only its sender may change, by comparing it with what it wrote last. */
export class Progress {
  readonly #records: Records;
  readonly #id: string;
  #saved: string;
  readonly record: ProgressRecord;

  private constructor(records: Records, id: string, text: string, record: ProgressRecord) {
    this.#records = records;
    this.#id = id;
    this.#saved = text;
    this.record = record;
  }

  /** Takes it over from whoever sent before, whose writes are refused from now on. */
  static async claim(records: Records, webhook: Webhook, holder: string): Promise<Progress> {
    for (;;) {
      const before = await records.get(KIND, webhook.id);
      const known = parsed(before);
      const { number, after } = webhook.start;
      const fresh = { attempts: known?.attempts ?? [], delivered: known?.delivered ?? 0, pending: [], read: after };
      const record = known?.start === number ? { ...known, holder } : { ...fresh, holder, start: number };
      const text = JSON.stringify(record);
      if (await records.replace(KIND, webhook.id, before, text)) return new Progress(records, webhook.id, text, record);
    }
  }

  addAttempt(made: Attempt): void {
    const { attempts } = this.record;
    attempts.push(made);
    if (attempts.length > LAST) attempts.shift();
  }

  /** Up to where everything is delivered or given up, once this item is. */
  cursorAfter(item: Pending, hub: { cursor(offset: number): string }): string {
    const others = this.record.pending.filter((other) => other !== item);
    return watermark({ read: this.record.read, pending: others }, (id) => hub.cursor(Math.max(offsetOf(id) - 1, 0)));
  }

  done(item: Pending): void {
    const { pending: items } = this.record;
    const at = items.indexOf(item);
    if (at !== -1) items.splice(at, 1);
  }

  /** Resolves with false if someone else sends now, or the webhook is gone. */
  async save(): Promise<boolean> {
    const text = JSON.stringify(this.record);
    if (text === this.#saved) return true;
    const isSaved = await this.#records.replace(KIND, this.#id, this.#saved, text);
    if (isSaved) this.#saved = text;
    return isSaved;
  }
}

function parsed(text: string | undefined): ProgressRecord | undefined {
  return text === undefined ? undefined : progress.safeParse(JSON.parse(text)).data;
}
