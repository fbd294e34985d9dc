// Who was seen in a channel lately.

/** Milliseconds between two words of presence, from someone who stays. */
export const PRESENCE_EVERY = 60_000;
/** Milliseconds after which someone who said nothing more is gone. */
const FORGOTTEN_AFTER = 2.5 * PRESENCE_EVERY;
const MAX_PEOPLE = 50;

interface Seen {
  readonly time: number;
  /** Whether the server lists this name for as long as its reader is there. */
  readonly isListed: boolean;
}

/** Names, each with when it was last seen. */
export class Roster {
  readonly #seen = new Map<string, Seen>();

  /** The last of them that were seen, by name. */
  names(now: number): string[] {
    for (const [name, { time }] of this.#seen) if (now - time > FORGOTTEN_AFTER) this.#seen.delete(name);
    return [...this.#seen.keys()].sort((a, b) => a.localeCompare(b));
  }

  see(name: string, now: number, isListed: boolean = false): void {
    this.#seen.delete(name);
    this.#seen.set(name, { time: now, isListed });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_PEOPLE && oldest !== undefined) this.#seen.delete(oldest);
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }

  /** Forgets whom the server did not list, when it was asked at a time. A page that is closed may not get to say so. */
  keepListed(names: ReadonlySet<string>, asked: number): void {
    for (const [name, { time, isListed }] of this.#seen)
      if (isListed && time < asked && !names.has(name)) this.#seen.delete(name);
  }
}

/** How many read, and who, as a sentence in pieces: names are to be set apart from the words between them. */
export function readersSentence<Name>(
  readers: number | undefined,
  names: readonly Name[],
  shown: number,
): { readonly count: string; readonly names: readonly Name[]; readonly rest: string } {
  const count = readers === undefined || readers === 0 ? "" : readers === 1 ? "1 reader" : `${readers} readers`;
  const rest = names.length > shown ? ` and ${names.length - shown} more` : "";
  return { count, names: names.slice(0, shown), rest };
}
