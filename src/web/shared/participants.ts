import type { Participant, ParticipantList } from "../../protocol/participant.ts";
import { askServer } from "./ask-server.ts";

/** Participants that a page asks for: more names would be noise. */
export const MAX_ASKED = 50;

/** Who reads a channel, or waits for it. Rejects with a `Refusal`. */
export async function participantsOf(channel: string): Promise<readonly Participant[]> {
  const query = new URLSearchParams({ channel, limit: String(MAX_ASKED) });
  return ((await askServer(`participants?${query}`)) as ParticipantList).participants;
}

/** What a participant does, and how long it has. */
export function doingText({ state, since, waiting }: Participant, now: number): string {
  const time = lasting(now - Date.parse(since));
  if (waiting?.for === "answer") return `waiting for an answer for ${time}`;
  if (waiting !== null) return `waiting for messages for ${time}`;
  return `${state} for ${time}`;
}

/** How long something has lasted, in its largest unit. */
function lasting(milliseconds: number): string {
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
