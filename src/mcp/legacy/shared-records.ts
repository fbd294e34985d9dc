import { chunks } from "../../core/chunks.ts";
import { HubError } from "../../core/errors.ts";
import type { SharedStore } from "../../core/shared-store.ts";
import type { SessionRecord, SessionRecords } from "./session-records.ts";
import { parseStoredState, stateText, type StateChange, type StoredState } from "./stored-state.ts";

/** Characters of the state of one session. */
const MAX_STATE = 64 * 1024;
/** Times that a change is tried against changes of other nodes. */
const TRIES = 50;
/** Sessions whose use is noted at the same time. */
const AT_ONCE = 64;

interface Stored extends SessionRecord {
  /** The node that used it last, approximately. */
  readonly node: string;
  readonly text: string;
}

/** Stores sessions where all nodes find them. One that no node has used for long enough is gone by itself. */
export class SharedRecords implements SessionRecords {
  readonly isShared = true;
  readonly #store: SharedStore;
  readonly #lifetime: number;

  /** `lifetime`: milliseconds after which a session is gone unless it is touched. */
  constructor(store: SharedStore, lifetime: number) {
    this.#store = store;
    this.#lifetime = lifetime;
  }

  async begin(name: string, state: StoredState): Promise<SessionRecord> {
    const record = { version: 1, state: stateText(state) };
    await this.#store.set(keyOf(name), this.#text(record), this.#lifetime);
    return record;
  }

  get(name: string): Promise<SessionRecord | undefined> {
    return this.#get(name);
  }

  change(name: string, change: StateChange): Promise<SessionRecord | undefined> {
    return this.#update(name, ({ version, state }) => {
      const next = stateText(change(parseStoredState(state)));
      if (next.length <= MAX_STATE) return { version: version + 1, state: next };
      const sentence = `What this session is subscribed to would have ${next.length} characters, more than ${MAX_STATE}; unsubscribe from something first`;
      throw new HubError("TOO_MANY_CHANNELS", sentence);
    });
  }

  async repair(name: string, record: SessionRecord): Promise<void> {
    await this.#update(name, (stored) => (stored.version < record.version ? record : stored));
  }

  async touch(used: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, SessionRecord | undefined>> {
    const stored = new Map<string, SessionRecord | undefined>();
    for (const chunk of chunks([...used], AT_ONCE)) {
      const touched = chunk.map(async ([name, time]) => {
        const lifetime = this.#lifetime - Math.max(0, Date.now() - time);
        stored.set(name, await this.#update(name, (found) => found, lifetime));
      });
      await Promise.all(touched);
    }
    return stored;
  }

  async delete(name: string): Promise<void> {
    await this.#store.delete(keyOf(name));
  }

  async evict(name: string): Promise<void> {
    if ((await this.#get(name))?.node === this.#store.node) await this.delete(name);
  }

  /** Replaces a record by what is made of it, and makes it last. */
  async #update(
    name: string,
    made: (stored: SessionRecord) => SessionRecord,
    lifetime: number = this.#lifetime,
  ): Promise<SessionRecord | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const stored = await this.#get(name);
      if (stored === undefined) return undefined;
      const { version, state } = made(stored);
      const text = this.#text({ version, state });
      if (await this.#store.replace(keyOf(name), stored.text, text, lifetime)) return { version, state };
    }
    throw new HubError("OVERLOADED", "This session is changed too often at the same time; try again");
  }

  async #get(name: string): Promise<Stored | undefined> {
    const text = await this.#store.get(keyOf(name));
    if (text === undefined) return undefined;
    const [node = "", version = "", state = ""] = split(text);
    return { node, version: Number(version) || 0, state, text };
  }

  #text({ version, state }: SessionRecord): string {
    return `${this.#store.node} ${version} ${state}`;
  }
}

function keyOf(name: string): string {
  return `session:${name}`;
}

/** The node, the version, and the state, which may have spaces of its own. */
function split(text: string): readonly string[] {
  return (/^(\S*) (\d*) (.*)$/s.exec(text) ?? []).slice(1);
}
