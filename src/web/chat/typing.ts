// Who is writing, or an agent that is thinking, in a channel.

/** What is told: an ephemeral message beside the channel, with this event. */
export const TYPING_EVENT = "typing";
export type TypingState = "typing" | "thinking" | "stopped";

/** Milliseconds after which someone who says nothing more has stopped. */
const LASTS = 8000;
/** Milliseconds between two words of one who goes on. */
const EVERY = 3000;
const MAX_PEOPLE = 20;
const MAX_NAMED = 3;

/** Those who said so lately. */
export class Typing {
  readonly #states = new Map<string, { readonly state: TypingState; readonly until: number }>();

  /** Takes in what someone announced with this event, and ignores data of another shape. Returns the milliseconds for which it holds. */
  hear(sender: string, data: unknown, now: number): number {
    const { name, state } = (data ?? {}) as { readonly name?: unknown; readonly state?: unknown };
    const who = (typeof name === "string" && name !== "" && sender === "anyone" ? name : sender).slice(0, 64);
    this.#states.delete(who);
    if ((state !== "typing" && state !== "thinking") || who === "") return 0;
    if (this.#states.size < MAX_PEOPLE) this.#states.set(who, { state, until: now + LASTS });
    return LASTS;
  }

  /** Whoever sends a message has stopped. */
  stop(sender: string): void {
    this.#states.delete(sender);
  }

  /** Who does what now, without the person. */
  now(now: number, me: string): { readonly typing: readonly string[]; readonly thinking: readonly string[] } {
    for (const [name, { until }] of this.#states) if (until <= now) this.#states.delete(name);
    const those = (wanted: TypingState): string[] =>
      [...this.#states].flatMap(([name, { state }]) => (state === wanted && name !== me ? [name] : []));
    return { typing: those("typing"), thinking: those("thinking") };
  }
}

/** Says what someone does: again only after a while, and that it ended only if it was said to have begun. */
export class TypingTeller {
  readonly #say: (state: TypingState) => void;
  #said = -Infinity;

  constructor(say: (state: TypingState) => void) {
    this.#say = say;
  }

  wrote(isEmpty: boolean, now: number): void {
    if (isEmpty) return this.ended(now);
    if (now - this.#said < EVERY) return;
    this.#said = now;
    this.#say("typing");
  }

  ended(now: number): void {
    if (now - this.#said < LASTS) this.#say("stopped");
    this.#said = -Infinity;
  }
}

/** What some people do, as a sentence in pieces: names are to be set apart from the words between them. */
export function doingSentence(
  names: readonly string[],
  doing: TypingState,
): { readonly names: readonly string[]; readonly rest: string } {
  const more = names.length - MAX_NAMED;
  const others = more > 0 ? ` and ${more} more` : "";
  return { names: names.slice(0, MAX_NAMED), rest: `${others} ${names.length === 1 ? "is" : "are"} ${doing}…` };
}
