import type { Principal } from "../../core/principal.ts";

/** Streams of one principal with a credential, and of all. */
const [MAX_OWN, MAX_ALL] = [100, 1000];

/** Counts open streams of events, which have a bound of their own: none of them ends by itself. */
export class StreamPlaces {
  readonly #byPrincipal = new Map<string, number>();
  #all = 0;

  /** Counts one more until the function returned is called; the bound if there is no room. */
  take({ id, kind }: Principal): (() => void) | number {
    const own = this.#byPrincipal.get(id) ?? 0;
    if (this.#all >= MAX_ALL) return MAX_ALL;
    // Everyone without a credential has the same name.
    if (kind !== "anonymous" && own >= MAX_OWN) return MAX_OWN;
    this.#count(id, 1);
    let isOver = false;
    return () => {
      if (!isOver) this.#count(id, -1);
      isOver = true;
    };
  }

  #count(id: string, change: number): void {
    const own = (this.#byPrincipal.get(id) ?? 0) + change;
    this.#all += change;
    if (own === 0) this.#byPrincipal.delete(id);
    else this.#byPrincipal.set(id, own);
  }
}
