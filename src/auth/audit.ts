import type { Scheduled } from "../core/scheduled.ts";

/** Something that was done to credentials or with an admin's rights, for whoever answers for the server. Never a secret. */
export interface AuditEvent {
  /** `error`: something is not as it was asked for, and someone must see to it. */
  readonly level: "info" | "warn" | "error";
  /** What was done, such as `key_revoked`; stays the same from version to version. */
  readonly action: string;
  /** Who it is about, as their messages name them. */
  readonly subject?: string;
  /** The id of the credential. */
  readonly id?: string;
  /** Who did it, as their messages name them; absent if no one asked for it. */
  readonly by?: string;
  /** What a person should know beside that, as a sentence. */
  readonly reason?: string;
}

/** Is told of each event when it has happened. */
export type Audit = (event: AuditEvent) => void;

/** A scheduled message was not sent. */
export function droppedMessage({ id, by, message }: Scheduled): AuditEvent {
  const reason = `the message that was scheduled for ${message.channel} as ${id} is not sent: who scheduled it may not publish there any more`;
  return { level: "warn", action: "scheduled_dropped", ...(by && { subject: by.subject, id: by.id }), reason };
}
