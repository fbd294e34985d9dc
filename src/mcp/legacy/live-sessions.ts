import { HubError } from "../../core/errors.ts";
import type { LegacySession } from "./session.ts";

/** The share of all sessions that one holder may have. */
const SHARE = 0.5;

/** The sessions on this node, by name: the least recently used comes first. */
export class LiveSessions implements Iterable<LegacySession> {
  readonly #most: number;
  readonly #byName = new Map<string, LegacySession>();
  readonly #byHolder = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): LegacySession | undefined {
    return this.#byName.get(name);
  }

  add(session: LegacySession): void {
    this.#byName.set(session.name, session);
    this.#hold(session.holder, 1);
  }

  /** False if it was not there. */
  delete({ name, holder }: LegacySession): boolean {
    if (!this.#byName.delete(name)) return false;
    this.#hold(holder, -1);
    return true;
  }

  /** Marks a session as in use until the returned function is called. */
  use(session: LegacySession): () => void {
    this.#touch(session);
    session.open++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      session.open--;
      this.#touch(session);
    };
  }

  /**
   * If the limit is reached, the least recently used session that is not in use: one of the same holder if that has its
   * share, so that no one pushes out the sessions of others. Throws `TOO_MANY_CONNECTIONS` if there is none.
   */
  sessionToEvict(holder: string | undefined): LegacySession | undefined {
    const share = Math.ceil(this.#most * SHARE);
    const isOwn = holder !== undefined && (this.#byHolder.get(holder) ?? 0) >= share;
    if (!isOwn && this.size < this.#most) return undefined;
    for (const session of this) if (session.open === 0 && (!isOwn || session.holder === holder)) return session;
    const full = isOwn
      ? `${share} sessions of this credential or address are open and in use, the limit: half of MAX_SESSIONS; end one of them`
      : `${this.#most} sessions are open and in use, the limit; come back later`;
    throw new HubError("TOO_MANY_CONNECTIONS", full);
  }

  [Symbol.iterator](): Iterator<LegacySession> {
    return this.#byName.values();
  }

  /** Makes a session the most recently used. */
  #touch(session: LegacySession): void {
    session.used = performance.now();
    if (this.#byName.delete(session.name)) this.#byName.set(session.name, session);
  }

  #hold(holder: string | undefined, more: 1 | -1): void {
    if (holder === undefined) return;
    const count = (this.#byHolder.get(holder) ?? 0) + more;
    if (count > 0) this.#byHolder.set(holder, count);
    else this.#byHolder.delete(holder);
  }
}
