import type { Participant, ParticipantList } from "../../protocol/participant.ts";
import { askServer } from "./ask-server.ts";
import { lasting } from "./lasting.ts";

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
