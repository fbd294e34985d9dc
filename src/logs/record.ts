import { randomBytes } from "node:crypto";
import type { Draft } from "../core/message.ts";

/** A new name for a run of offsets. */
export function newEpoch(): string {
  return randomBytes(5).toString("hex");
}

/** What keeping a message costs, in bytes, without what the store adds. */
export function costOf(draft: Draft): number {
  return Buffer.byteLength(draft.data) + draft.event.length + draft.sender.length + draft.channel.length;
}
