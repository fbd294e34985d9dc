import { chunks } from "../core/chunks.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { isObject } from "../protocol/json.ts";

/** Where nodes tell the others at once. */
const TOPIC = "revocations";
/** How many there were so far, as text: whoever has seen another number looks for all of its records. */
const COUNT = "revocations";
const DAY = 86_400_000;
/** How long a revocation is remembered: a node that starts in this time with an old file knows of it. */
const REMEMBERED = 30 * DAY;
/** Milliseconds between two looks at the count, for nodes that were not told, or could not tell. */
const CHECK_INTERVAL = 2000;
/** Records that are told of, or looked for, at once. */
const AT_ONCE = 500;
const DIGEST = /^[\w-]{43}$/;

/**
 * Records of API keys that no node takes any more, whatever the others have in their files, by digests of them. A record
 * is never taken back: the file that an old node still has must not bring a key back to life.
 */
export class Revocations {
  readonly #shared: SharedStore;
  readonly #onRevoked: (digest: string) => void;
  readonly #unsubscribe: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Digests of the records in this node's file. */
  #own: ReadonlySet<string> = new Set();
  readonly #revoked = new Set<string>();
  /** Revoked here, and not known to the others yet. */
  readonly #untold = new Set<string>();
  /** The count up to which the own records were looked for; undefined if they must be. */
  #seen: string | undefined;
  #looking: Promise<void> | undefined;

  /** `onRevoked` is called with each own record that another node has revoked. */
  constructor(shared: SharedStore, onRevoked: (digest: string) => void) {
    this.#shared = shared;
    this.#onRevoked = onRevoked;
    this.#unsubscribe = shared.subscribe(TOPIC, (text) => {
      for (const digest of digestsIn(text)) this.#take(digest);
    });
    this.#timer = setInterval(() => void this.look(), CHECK_INTERVAL).unref();
  }

  has(digest: string): boolean {
    return this.#revoked.has(digest);
  }

  /** Says which records are in this node's file now, and which of those before them are not good any more. */
  keep(own: Iterable<string>, revoked: Iterable<string> = []): void {
    this.#own = new Set(own);
    for (const digest of this.#revoked) if (!this.#own.has(digest)) this.#revoked.delete(digest);
    for (const digest of revoked) this.#untold.add(digest);
    this.#seen = undefined;
    void this.look();
  }

  /** Tells the others what they do not know yet, and looks for what they told; later again if they cannot be reached. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => {
        // The engine is away: nothing was forgotten, and the timer tries again.
      })
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  async #look(): Promise<void> {
    const untold = [...this.#untold];
    for (const part of chunks(untold, AT_ONCE)) {
      await Promise.all(part.map((digest) => this.#shared.set(keyOf(digest), "", REMEMBERED)));
      await this.#shared.increment(COUNT, 1, 10 * REMEMBERED);
      await this.#shared.publish(TOPIC, JSON.stringify({ digests: part }));
      for (const digest of part) this.#untold.delete(digest);
    }
    const own = this.#own;
    const count = (await this.#shared.get(COUNT)) ?? "0";
    if (count === this.#seen) return;
    for (const part of chunks([...own], AT_ONCE)) {
      const found = await Promise.all(part.map((digest) => this.#shared.get(keyOf(digest))));
      for (const [at, digest] of part.entries()) if (found[at] !== undefined) this.#take(digest);
    }
    // The file may have changed meanwhile.
    if (own === this.#own) this.#seen = count;
  }

  #take(digest: string): void {
    if (!this.#own.has(digest) || this.#revoked.has(digest)) return;
    this.#revoked.add(digest);
    this.#onRevoked(digest);
  }
}

function keyOf(digest: string): string {
  return `revoked:${digest}`;
}

/** What another node told; nothing of it if it is not what a node tells. */
function digestsIn(text: string): readonly string[] {
  try {
    const told: unknown = JSON.parse(text);
    const digests = isObject(told) ? told["digests"] : undefined;
    if (!Array.isArray(digests) || digests.length > AT_ONCE) return [];
    return digests.filter((digest): digest is string => typeof digest === "string" && DIGEST.test(digest));
  } catch {
    return [];
  }
}
