import { HubError } from "../../core/errors.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { McpContext } from "../catalog.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { invalidParams, type JsonObject } from "../errors.ts";
import { canonicalUri, resourceNotFound, watched } from "../resources.ts";

const LISTS = ["tools", "prompts", "resources"] as const;
/** They stand among the URIs. */
const LIST_NEWS: ReadonlySet<string> = new Set(LISTS.map((list) => `${list}/list_changed`));

/** What a session can be told has changed. */
export type ChangedList = (typeof LISTS)[number];

/** What a session is told of unasked: resources that it subscribed to, and lists. */
export class SessionSubscriptions {
  readonly #context: McpContext;
  readonly #notifier: ChangeNotifier;
  #isListening = false;
  #onListening: (() => void)[] = [];
  #subscription: Subscription | undefined;

  /** `send` takes one JSON-RPC message as text. */
  constructor(context: McpContext, send: (message: string) => void) {
    this.#context = context;
    const isDeaf = (): boolean => !this.#isListening;
    this.#notifier = new ChangeNotifier({
      // What waits for a socket is counted, and cut, by the connection.
      pending: 0,
      get isLagging() {
        return isDeaf();
      },
      changed: (names) => {
        for (const name of names) send(notification(name));
      },
      keepAlive: () => {},
      drained: () => (isDeaf() ? new Promise((resolve) => this.#onListening.push(resolve)) : Promise.resolve()),
      ended: () => {},
    });
  }

  /** Says whether the client hears what it is told unasked. What changes meanwhile is told, once, when it does. */
  listening(isListening: boolean): void {
    this.#isListening = isListening;
    if (!isListening) return;
    for (const wake of this.#onListening.splice(0)) wake();
  }

  /** Tells the client, when it listens, that anything may have changed: the server cannot know what it missed. */
  allChanged(): void {
    const { changes } = this.#context.catalog;
    for (const list of changes === undefined ? (["resources"] as const) : LISTS) this.changed(list);
    for (const uri of this.#notifier.names) this.#notifier.touch(uri);
  }

  /** Tells the client that a list is no longer what it was. */
  changed(list: ChangedList): void {
    this.#notifier.touch(`${list}/list_changed`);
  }

  /** The URIs that it subscribed to, as it wrote them. */
  get uris(): readonly string[] {
    return [...this.#notifier.names];
  }

  /** `resources/subscribe`. */
  add({ uri }: JsonObject): JsonObject {
    const { hub, catalog, limits } = this.#context;
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const channels = watched(catalog, uri);
    if (channels === undefined) {
      throw resourceNotFound(
        uri,
        catalog.resources.map(({ listing }) => listing.uri),
      );
    }
    const notifier = this.#notifier;
    // A change that it was not told of so far must not be forgotten.
    if (notifier.names.has(uri)) return {};
    if (notifier.names.size >= limits.channels) {
      throw new HubError("TOO_MANY_CHANNELS", `${limits.channels} resources are subscribed to, the limit`);
    }
    notifier.watch(uri, channels);
    if (this.#subscription === undefined) this.#subscription = hub.subscribe({ channels }, notifier);
    else hub.add(this.#subscription, { channels });
    return {};
  }

  /** `resources/unsubscribe`. */
  remove({ uri }: JsonObject): JsonObject {
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const canonical = canonicalUri(uri);
    for (const name of this.#notifier.names) {
      if (name !== uri && canonicalUri(name) !== canonical) continue;
      const unasked = this.#notifier.unwatch(name);
      if (this.#subscription !== undefined) this.#context.hub.remove(this.#subscription, unasked);
    }
    return {};
  }

  close(): void {
    this.#isListening = false;
    if (this.#subscription !== undefined) this.#context.hub.unsubscribe(this.#subscription);
  }
}

function notification(name: string): string {
  if (LIST_NEWS.has(name)) return `{"jsonrpc":"2.0","method":"notifications/${name}","params":{}}`;
  return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":${JSON.stringify(name)}}}`;
}
