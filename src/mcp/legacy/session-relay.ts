import { HubError } from "../../core/errors.ts";
import type { SharedStore } from "../../core/shared-store.ts";
import { isObject, type JsonObject } from "../errors.ts";
import type { SessionRecord } from "./session-records.ts";
import type { LegacySession } from "./session.ts";

/** What a node sends to the others about a session. */
export type SessionNews =
  /** That it has ended. */
  | { readonly kind: "ended"; readonly name: string }
  /** What is stored of it from now on. */
  | { readonly kind: "changed"; readonly name: string; readonly record: SessionRecord }
  /** A response or cancellation of its client, for the node that waits for it. */
  | ForwardedMessage;

interface ForwardedMessage {
  readonly kind: "message";
  readonly name: string;
  readonly principal: string;
  readonly message: JsonObject;
  /** The node that waits for it acknowledges it with this. */
  readonly token: string;
}

const TOPIC = "sessions";
/** Characters of a message that is passed on. */
const MAX_MESSAGE = 1024 * 1024;
/** Characters of what is sent to the other nodes: such a message, or what is stored of a session, with what goes around it. */
const MAX_TEXT = MAX_MESSAGE + 128 * 1024;
/** Milliseconds after which a message that no node has acknowledged is sent again: a node may have been cut off. */
const AGAIN = [500, 2000, 6000] as const;
/** Characters of the messages that may be sent again. */
const MAX_UNACKNOWLEDGED = 16 * 1024 * 1024;

/** Sends what happens to sessions between the nodes. */
export class SessionRelay {
  readonly #store: SharedStore;
  readonly #unsubscribe: () => void;
  /** What will be sent again, by its token. */
  readonly #unacknowledged = new Map<string, { readonly text: string; timer: ReturnType<typeof setTimeout> }>();
  #unacknowledgedCharacters = 0;

  /** `listener` is called with what other nodes send; it returns whether a message was for a request of this node. */
  constructor(store: SharedStore, listener: (news: SessionNews) => boolean) {
    this.#store = store;
    this.#unsubscribe = store.subscribe(TOPIC, (text) => {
      const sent = this.#read(text);
      if (sent === undefined) return;
      const { token } = sent;
      if (sent["kind"] === "acknowledged" && typeof token === "string") return this.#forget(token);
      const news = newsIn(sent);
      if (news === undefined || !listener(news) || news.kind !== "message") return;
      this.#publish({ kind: "acknowledged", token: news.token }).catch(() => {});
    });
  }

  /** Sends to the others; if that fails, they find out by the record, at the latest when the session is used next. */
  send(news: SessionNews): void {
    this.#publish(news).catch(() => {});
  }

  /**
   * Passes on a response or a cancellation that matches no request here, a few times unless a node takes it. It costs
   * its sender what a message would.
   * Rejects with `MESSAGE_TOO_LARGE`, `RATE_LIMITED`, or `LOG_UNAVAILABLE`.
   */
  async forward({ name, principal, state }: LegacySession, message: JsonObject): Promise<void> {
    const { length } = JSON.stringify(message);
    if (length > MAX_MESSAGE) {
      const sentence = `This has ${length} characters; at most ${MAX_MESSAGE} can be passed on to the node that waits for it`;
      throw new HubError("MESSAGE_TOO_LARGE", sentence);
    }
    state.admit?.("publishes", 1);
    state.admit?.("publish_bytes", length);
    const token = crypto.randomUUID();
    const text = await this.#publish({ kind: "message", name, principal: principal.id, message, token });
    if (this.#unacknowledgedCharacters + text.length > MAX_UNACKNOWLEDGED) return;
    this.#unacknowledgedCharacters += text.length;
    this.#unacknowledged.set(token, { text, timer: this.#again(token, 0) });
  }

  close(): void {
    this.#unsubscribe();
    for (const token of this.#unacknowledged.keys()) this.#forget(token);
  }

  #again(token: string, tries: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const found = this.#unacknowledged.get(token);
      if (found === undefined) return;
      this.#store.publish(TOPIC, found.text).catch(() => {});
      // Most likely no node waits for it.
      if (tries + 1 === AGAIN.length) this.#forget(token);
      else found.timer = this.#again(token, tries + 1);
    }, AGAIN[tries]).unref();
  }

  #forget(token: string): void {
    const found = this.#unacknowledged.get(token);
    if (found === undefined) return;
    clearTimeout(found.timer);
    this.#unacknowledged.delete(token);
    this.#unacknowledgedCharacters -= found.text.length;
  }

  /** Resolves with what was sent. */
  async #publish(news: SessionNews | { readonly kind: "acknowledged"; readonly token: string }): Promise<string> {
    const text = JSON.stringify({ node: this.#store.node, ...news });
    await this.#store.publish(TOPIC, text);
    return text;
  }

  /** What another node sent; undefined if this one did, or it cannot be read. */
  #read(text: string): JsonObject | undefined {
    if (text.length > MAX_TEXT) return undefined;
    try {
      const sent: unknown = JSON.parse(text);
      return isObject(sent) && sent["node"] !== this.#store.node ? sent : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Undefined if it is of no known form: a newer version may have sent it. */
function newsIn({ kind, name, record, principal, message, token }: JsonObject): SessionNews | undefined {
  if (typeof name !== "string") return undefined;
  if (kind === "ended") return { kind, name };
  if (kind === "changed" && isObject(record)) {
    const { version, state } = record;
    const isValid = typeof version === "number" && typeof state === "string";
    return isValid ? { kind, name, record: { version, state } } : undefined;
  }
  if (kind !== "message" || typeof principal !== "string" || !isObject(message) || typeof token !== "string")
    return undefined;
  return { kind, name, principal, message, token };
}
