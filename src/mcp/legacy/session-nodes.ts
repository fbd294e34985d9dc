import { HubError } from "../../core/errors.ts";
import type { SharedStore } from "../../core/shared-store.ts";
import { isObject, type JsonObject } from "../errors.ts";
import type { SessionRecord } from "./session-records.ts";
import type { LegacySession } from "./session.ts";

/** What a node tells the others of a session. */
export type SessionNews =
  /** That it has ended, or that its client listens there from now on. */
  | { readonly kind: "ended" | "listening"; readonly name: string }
  /** What is stored of it from now on. */
  | { readonly kind: "changed"; readonly name: string; readonly record: SessionRecord }
  /** A response or cancellation of its client, for the node that waits for it. */
  | { readonly kind: "message"; readonly name: string; readonly principal: string; readonly message: JsonObject };

const TOPIC = "sessions";
/** Characters of what is sent to the other nodes. */
const MAX_TEXT = 1024 * 1024;

/** What the nodes tell each other of sessions. */
export class SessionNodes {
  readonly #store: SharedStore;
  readonly #unsubscribe: () => void;

  /** `listener` is called with what other nodes tell. */
  constructor(store: SharedStore, listener: (news: SessionNews) => void) {
    this.#store = store;
    this.#unsubscribe = store.subscribe(TOPIC, (text) => {
      const news = this.#read(text);
      if (news !== undefined) listener(news);
    });
  }

  /** Tells the others; if that fails, they find out by the record, at the latest when the session is used next. */
  tell(news: SessionNews): void {
    this.#publish(news).catch(() => {});
  }

  /**
   * Passes on a response or a cancellation that matches no request here, which costs its sender what a message would.
   * Rejects with `MESSAGE_TOO_LARGE`, `RATE_LIMITED`, or `LOG_UNAVAILABLE`.
   */
  async forward({ name, principal, state }: LegacySession, message: JsonObject): Promise<void> {
    state.admit?.("publishes", 1);
    state.admit?.("publish_bytes", JSON.stringify(message).length);
    await this.#publish({ kind: "message", name, principal: principal.id, message });
  }

  close(): void {
    this.#unsubscribe();
  }

  async #publish(news: SessionNews): Promise<void> {
    const text = JSON.stringify({ node: this.#store.node, ...news });
    if (text.length > MAX_TEXT) {
      const sentence = `This has ${text.length} characters; at most ${MAX_TEXT} can be passed on to the node that asked`;
      throw new HubError("MESSAGE_TOO_LARGE", sentence);
    }
    await this.#store.publish(TOPIC, text);
  }

  /** Undefined if this node sent it, or it is of no known form: a newer version may have sent it. */
  #read(text: string): SessionNews | undefined {
    if (text.length > MAX_TEXT) return undefined;
    let sent: unknown;
    try {
      sent = JSON.parse(text);
    } catch {
      return undefined;
    }
    if (!isObject(sent) || sent["node"] === this.#store.node) return undefined;
    const { kind, name, record, principal, message } = sent;
    if (typeof name !== "string") return undefined;
    if (kind === "ended" || kind === "listening") return { kind, name };
    if (kind === "changed" && isObject(record)) {
      const { version, state } = record;
      const isValid = typeof version === "number" && typeof state === "string";
      return isValid ? { kind, name, record: { version, state } } : undefined;
    }
    if (kind !== "message" || typeof principal !== "string" || !isObject(message)) return undefined;
    return { kind, name, principal, message };
  }
}
