/** An address that a name has. */
export interface NameAddress {
  readonly address: string;
  readonly family: number;
}

interface Waiting {
  readonly name: string;
  readonly go: () => void;
}

/** Names that are looked up at once: each holds one of the four threads that files are read and written with, too. */
const AT_ONCE = 2;
/** How many of those may be names that have never been resolved, or not the last time. */
const DOUBTFUL_AT_ONCE = 1;
/** Names that are remembered as resolved: as many as there may be webhooks. */
const MAX_GOOD = 1000;

/**
 * Looks names up, a few at once. Whoever has webhooks to names whose servers do not answer holds up other such names, and
 * none that was resolved before.
 */
export class Lookups {
  readonly #lookUp: (name: string) => Promise<readonly NameAddress[]>;
  /** Webhooks to one name share a lookup in progress. */
  readonly #running = new Map<string, Promise<readonly NameAddress[]>>();
  /** Names that were resolved the last time, the oldest first. */
  readonly #good = new Set<string>();
  readonly #waiting: Waiting[] = [];
  #active = 0;
  #doubtful = 0;

  constructor(lookUp: (name: string) => Promise<readonly NameAddress[]>) {
    this.#lookUp = lookUp;
  }

  /** All addresses of a name. Rejects as the lookup does. */
  of(name: string): Promise<readonly NameAddress[]> {
    let found = this.#running.get(name);
    if (found === undefined) {
      found = this.#queued(name).finally(() => this.#running.delete(name));
      this.#running.set(name, found);
    }
    return found;
  }

  async #queued(name: string): Promise<readonly NameAddress[]> {
    const isDoubtful = this.#mayBegin(name)
      ? this.#begin(name)
      : await new Promise<boolean>((resolve) => this.#waiting.push({ name, go: () => resolve(this.#begin(name)) }));
    try {
      const addresses = await this.#lookUp(name);
      this.#remember(name);
      return addresses;
    } catch (error) {
      this.#good.delete(name);
      throw error;
    } finally {
      this.#active--;
      if (isDoubtful) this.#doubtful--;
      this.#next();
    }
  }

  /** Counts a lookup; the result says whether it is a doubtful one. */
  #begin(name: string): boolean {
    const isDoubtful = !this.#good.has(name);
    this.#active++;
    if (isDoubtful) this.#doubtful++;
    return isDoubtful;
  }

  #mayBegin(name: string): boolean {
    return this.#active < AT_ONCE && (this.#good.has(name) || this.#doubtful < DOUBTFUL_AT_ONCE);
  }

  #next(): void {
    const good = this.#waiting.findIndex(({ name }) => this.#good.has(name));
    const [next] = this.#waiting.splice(good === -1 ? 0 : good, 1);
    if (next === undefined) return;
    if (this.#mayBegin(next.name)) next.go();
    else this.#waiting.unshift(next);
  }

  #remember(name: string): void {
    this.#good.delete(name);
    this.#good.add(name);
    if (this.#good.size > MAX_GOOD) this.#good.delete(this.#good.values().next().value ?? "");
  }
}
