import { HubError } from "../../core/errors.ts";
import type { ChannelPattern } from "../../protocol/channel.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { Principal } from "../../core/principal.ts";
import type { McpContext } from "../catalog.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { invalidParams, McpError, type JsonObject } from "../errors.ts";
import { canonicalUri, resourceNotFound, watched } from "../resources.ts";

const LISTS = ["tools", "prompts", "resources"] as const;
/** The names of list notifications, which are watched like URIs. */
const LIST_NEWS: ReadonlySet<string> = new Set(LISTS.map((list) => `${list}/list_changed`));

/** The lists whose changes a session is notified of. */
export type ChangedList = (typeof LISTS)[number];

/** Sends a session change notifications: of resources that it subscribed to, and of lists. */
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
      // The connection itself counts and bounds its pending bytes.
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

  /** Sets whether the client is listening. Changes while it is not are sent once, when it listens again. */
  listening(isListening: boolean): void {
    this.#isListening = isListening;
    if (!isListening) return;
    for (const wake of this.#onListening.splice(0)) wake();
  }

  /** Notifies the client, once it listens, that anything may have changed: the server cannot know what it missed. */
  allChanged(): void {
    const { changes } = this.#context.catalog;
    for (const list of changes === undefined ? (["resources"] as const) : LISTS) this.changed(list);
    for (const uri of this.#notifier.names) this.#notifier.touch(uri);
  }

  /** Notifies the client that a list has changed. */
  changed(list: ChangedList): void {
    this.#notifier.touch(`${list}/list_changed`);
  }

  /** The URIs that it subscribed to, as it wrote them. */
  get uris(): readonly string[] {
    return [...this.#notifier.names];
  }

  /** The channels whose changes it is notified of. */
  get channels(): readonly ChannelPattern[] {
    return this.#subscription?.channels ?? [];
  }

  /** `resources/subscribe`. Returns the URI. */
  add({ uri }: JsonObject, principal: Principal): string {
    const { hub, catalog, limits, questions } = this.#context;
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const what = watched(catalog, uri, { principal, questions });
    if (what === undefined) {
      throw resourceNotFound(
        uri,
        catalog.resources.map(({ listing }) => listing.uri),
      );
    }
    const notifier = this.#notifier;
    // Watching it again would drop a change that has not been sent yet.
    if (notifier.names.has(uri)) return uri;
    if (notifier.names.size >= limits.channels) {
      throw new HubError("TOO_MANY_CHANNELS", `${limits.channels} resources are subscribed to, the limit`);
    }
    const { channels, follow } = what;
    notifier.watch(uri, channels, follow);
    if (this.#subscription === undefined) this.#subscription = hub.subscribe({ channels }, notifier);
    else hub.add(this.#subscription, { channels });
    return uri;
  }

  /** `resources/unsubscribe`. Returns the URI. */
  remove({ uri }: JsonObject): string {
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    for (const name of this.#notifier.names) {
      if (!isSameResource(name, uri)) continue;
      const unasked = this.#notifier.unwatch(name);
      if (this.#subscription !== undefined) this.#context.hub.remove(this.#subscription, unasked);
    }
    return uri;
  }

  /** Subscribes to these URIs and to no others, as far as the client may; it is told of those that are new. */
  follow(uris: readonly string[], principal: Principal): void {
    const asked = new Set(uris);
    for (const uri of this.uris) if (!asked.has(uri)) this.remove({ uri });
    // After that, since another spelling of a resource goes with it.
    const left = new Set(this.uris);
    for (const uri of asked) if (!left.has(uri)) this.#addIfAllowed(uri, principal);
  }

  /** Drops the resources that the client may not read any more, and of the others the channels that it may not. */
  restrictTo(principal: Principal): void {
    for (const uri of this.uris) {
      if (LIST_NEWS.has(uri)) continue;
      this.remove({ uri });
      this.#addIfAllowed(uri, principal);
    }
  }

  /** Notifies the client, too: a change before this was dropped with the subscription, or not seen here. */
  #addIfAllowed(uri: string, principal: Principal): void {
    try {
      this.add({ uri }, principal);
      this.#notifier.touch(uri);
    } catch (error) {
      // The resource may not exist any more, or the client may not read it, or the limit may be lower.
      if (!(error instanceof HubError || error instanceof McpError)) throw error;
    }
  }

  close(): void {
    this.#isListening = false;
    this.#notifier.unwatchAll();
    if (this.#subscription !== undefined) this.#context.hub.unsubscribe(this.#subscription);
  }
}

/** Whether two spellings name the same resource. */
export function isSameResource(one: string, other: string): boolean {
  return one === other || canonicalUri(one) === canonicalUri(other);
}

let lastName = "";
let lastText = "";

/** The last text is reused: sessions with the same subscription are notified one after the other. */
function notification(name: string): string {
  if (name === lastName) return lastText;
  lastName = name;
  lastText = LIST_NEWS.has(name)
    ? `{"jsonrpc":"2.0","method":"notifications/${name}","params":{}}`
    : `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":${JSON.stringify(name)}}}`;
  return lastText;
}
