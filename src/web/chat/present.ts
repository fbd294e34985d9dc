import type { Participant } from "../../protocol/participant.ts";
import { doingText } from "../shared/participants.ts";

/** Someone in the header of a channel. */
interface Present {
  readonly name: string;
  /** What they do, if the server knows more than that they are there. */
  readonly doing?: string;
}

/** Who is shown as present: the names that people gave, and what the server lists of others. */
export interface PresentList {
  readonly present: readonly Present[];
  /** Those of them who wait for an answer. */
  readonly waiting: readonly Present[];
}

/**
 * Puts together what pages say of their people and what the server lists. People without a credential come and go by
 * what their pages say, which is known sooner.
 */
export function presentIn(names: readonly string[], participants: readonly Participant[], now: number): PresentList {
  const present = new Map<string, Present>(names.map((name) => [name, { name }]));
  const waiting = new Map<string, Present>();
  for (const one of participants) {
    const { name, kind, verified, waiting: wait } = one;
    if (name === null || (kind === "person" && !verified)) continue;
    const shown = { name, doing: doingText(one, now) };
    // A person and an agent may have one name: the agent's state says more.
    if (!present.has(name) || kind === "agent") present.set(name, shown);
    if (wait?.for === "answer") waiting.set(name, shown);
  }
  const byName = [...present.values()].sort((a, b) => a.name.localeCompare(b.name));
  return { present: byName, waiting: [...waiting.values()] };
}
