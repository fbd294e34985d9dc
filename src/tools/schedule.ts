import { dueTime, type DueRequest } from "../core/due-time.ts";
import { HubError } from "../core/errors.ts";
import { refusal, type Principal } from "../core/principal.ts";
import type { Schedule } from "../core/schedule.ts";
import type { Scheduled, ScheduledWithData } from "../core/scheduled.ts";
import { isCovered, type ChannelPattern } from "../protocol/channel.ts";
import type { ScheduledMessage, ScheduledReceipt } from "../protocol/message.ts";
import { admittedDraft, type PublishRequest } from "./publish.ts";
import type { RequestContext } from "./tool.ts";

/** What callers do with the schedule of a hub, each within its rights. */
export interface SchedulePage {
  readonly scheduled: readonly ScheduledMessage[];
  /** What to go on with as `after`; null at the end. */
  readonly next: string | null;
}

type ScheduleContext = Pick<RequestContext, "hub" | "limits" | "principal" | "sender" | "admit"> & {
  readonly schedule: Schedule;
};

/**
 * Schedules a message for when the request says. The caller must be allowed to publish it, now and when its time comes.
 * Throws as `publish` does, and `INVALID_INPUT`.
 */
export async function publishLater(
  { at, delaySeconds, ...request }: PublishRequest & DueRequest,
  { schedule, ...context }: ScheduleContext,
): Promise<{ readonly receipt: ScheduledReceipt; readonly repeated: boolean }> {
  const due = dueTime({ at, delaySeconds });
  if (request.ephemeral === true) {
    throw new HubError("INVALID_MESSAGE", "an ephemeral message is not kept, so it cannot be scheduled");
  }
  const { item, bytes } = admittedDraft(request, context);
  const { admit, principal } = context;
  const by = rightTo(principal, item);
  const { scheduled, repeated } = await schedule.schedule(item, due.time, { by, isExact: due.isExact });
  if (repeated) admit?.("publish_bytes", -bytes);
  const { id, at: time } = scheduled;
  return { receipt: { id, channel: item.channel, at: new Date(time).toISOString() }, repeated };
}

/** One scheduled message, with its data as JSON text. Throws `NOT_FOUND` also for one of someone else. */
export async function ownScheduled(id: string, principal: Principal, schedule: Schedule): Promise<ScheduledWithData> {
  const due = await schedule.get(id);
  if (due === undefined || !isOwn(due, principal)) {
    throw new HubError("NOT_FOUND", "There is no such scheduled message: it was sent, was cancelled or never existed");
  }
  return due;
}

/** Throws `NOT_FOUND` as `ownScheduled` does, and for one that is being sent. */
export async function cancelScheduled(id: string, principal: Principal, schedule: Schedule): Promise<void> {
  await ownScheduled(id, principal, schedule);
  if (!(await schedule.cancel(id))) throw new HubError("NOT_FOUND", "This message is being sent, or was sent already");
}

/** What a caller has scheduled on the channels of a pattern, and an admin what anyone has, in order of time. */
export function listScheduled(
  {
    pattern,
    after,
    limit,
  }: { readonly pattern: ChannelPattern; readonly after?: string | undefined; readonly limit: number },
  principal: Principal,
  schedule: Schedule,
): SchedulePage {
  // Those without a credential cannot be told apart.
  if (principal.kind === "anonymous" && !principal.admin) throw refusal(principal, "publish", "list what is scheduled");
  const found = schedule
    .list()
    .filter((due) => isOwn(due, principal) && isCovered([pattern], due.message.channel))
    .filter((due) => after === undefined || place(due) > after);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { scheduled: page.map(scheduledMessage), next: last && found.length > limit ? place(last) : null };
}

/** As callers see it, without its data. */
export function scheduledMessage({ id, at, by, message }: Scheduled): ScheduledMessage {
  const { channel, event, sender, via } = message;
  return {
    id,
    channel,
    at: new Date(at).toISOString(),
    event,
    sender,
    ...(via === undefined ? {} : { via }),
    ...(by === undefined ? {} : { by: by.subject }),
  };
}

/** Where it is in the order of time, as text that has that order. */
function place({ at, created, id }: Scheduled): string {
  return [at, created].map((time) => String(time).padStart(16, "0")).join("-") + `-${id}`;
}

function isOwn({ by }: Scheduled, { id, admin }: Principal): boolean {
  return admin || by?.id === id;
}

/** What is left to a principal of its rights: to publish this message. */
function rightTo(
  { subject, kind, id }: Principal,
  { channel, sender }: { readonly channel: ChannelPattern; readonly sender: string },
): Principal {
  return { subject, kind, id, publish: [channel], subscribe: [], admin: false, sendAs: sender !== subject };
}
