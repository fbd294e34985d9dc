import type { Attempt, ProgressRecord } from "./progress.ts";
import type { Suspension, Webhook } from "./webhook.ts";

/** How a webhook stands, as far as its sender noted it. */
export interface WebhookStatus {
  readonly state: "active" | "failing" | "suspended";
  /** The cursor up to which everything is delivered or given up. */
  readonly position: string;
  /** Messages that wait to be sent again, or are being sent. */
  readonly pending: number;
  readonly delivered: number;
  /** Milliseconds since 1970; undefined while it does not fail. */
  readonly failingSince: number | undefined;
  readonly nextAttempt: number | undefined;
  readonly lastSuccess: number | undefined;
  /** The last ones, the newest first. */
  readonly attempts: readonly Attempt[];
}

/** What is said of a suspension. */
export const SUSPENSION_SENTENCES: Readonly<Record<Suspension["reason"], string>> = {
  owner: "It was suspended by hand; resume it to continue where it stopped",
  failures: "Its URL took nothing for a day; resume it to continue where it stopped",
  gone: "Its URL answered 410 Gone; resume it to continue where it stopped",
  credential: "The right of its owner to read these channels is over; its owner can renew it, or an admin take it over",
};

/** How a webhook stands by what its sender noted; `position` is what follows from that. */
export function statusOf(webhook: Webhook, record: ProgressRecord | undefined, position: string): WebhookStatus {
  const isSuspended = webhook.suspension !== undefined;
  const dues = record?.pending.filter(({ tries }) => tries > 0).map(({ due }) => due) ?? [];
  return {
    state: isSuspended ? "suspended" : record?.failingSince === undefined ? "active" : "failing",
    position,
    pending: record?.pending.length ?? 0,
    delivered: record?.delivered ?? 0,
    failingSince: record?.failingSince,
    nextAttempt: isSuspended || dues.length === 0 ? undefined : Math.min(...dues),
    lastSuccess: record?.lastSuccess,
    attempts: record?.attempts.toReversed() ?? [],
  };
}
