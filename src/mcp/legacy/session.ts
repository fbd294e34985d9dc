import { Server, type JSONRPCRequest, type ServerContext, type Transport } from "@modelcontextprotocol/server";
import { HubError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import type { Subscription } from "../../core/subscription.ts";
import { oneLine } from "../../protocol/text.ts";
import type { RequestContext, Inputs } from "../request-context.ts";
import { unanswered } from "./failures.ts";
import { capabilities, isInputRequired, METHODS, type Result } from "../methods.ts";
import { checkInputRequests } from "../input-requests.ts";
import { progressOf, senderOf } from "../modern/envelope.ts";
import type { McpContext } from "../modern/handler.ts";
import type { InputRequired } from "../definitions.ts";
import {
  asMcpError,
  CODES,
  invalidParams,
  isObject,
  LEGACY_VERSIONS,
  LOG_LEVELS,
  McpError,
  type JsonObject,
  type LogLevel,
} from "../errors.ts";
import { scopeOf } from "../request-state.ts";
import { canonicalUri, resourceNotFound, watched } from "../resources.ts";
import { ChangeNotifier } from "../change-notifier.ts";

/** Milliseconds a client has to answer what it was asked: people may have to. */
const ASK_TIMEOUT = 300_000;
/** Times in a row that one request may ask for input. */
const MAX_ROUNDS = 8;
const MODERN_ONLY: ReadonlySet<string> = new Set(["server/discover", "subscriptions/listen"]);

const LISTS = ["tools", "prompts", "resources"] as const;
/** They stand among the URIs. */
const LIST_NEWS: ReadonlySet<string> = new Set(LISTS.map((list) => `${list}/list_changed`));

/** What a session can be told has changed. */
export type ChangedList = (typeof LISTS)[number];

/** What a session answers with: its calls that wait are its own. */
export type SessionContext = McpContext & Pick<RequestContext, "stay">;

/** One session of the initialize era: the official SDK speaks the protocol, the shared methods do the work. */
export class LegacySession {
  readonly principal: Principal;
  readonly #server: Server;
  readonly #context: SessionContext;
  readonly #report: (error: unknown) => void;
  readonly #updates: ChangeNotifier;
  #isListening = false;
  #heard: (() => void)[] = [];
  #logLevel: LogLevel = "debug";
  #subscription: Subscription | undefined;

  /** `report` is told of errors that no client can have caused. */
  constructor(context: SessionContext, principal: Principal, report: (error: unknown) => void) {
    this.#context = context;
    this.principal = principal;
    this.#report = report;
    const { catalog, serverInfo } = context;
    this.#server = new Server(serverInfo, {
      capabilities: { ...capabilities(catalog), logging: {} },
      instructions: catalog.instructions,
      supportedProtocolVersions: [...LEGACY_VERSIONS],
    });
    // The SDK calls a level that there is not an internal error.
    this.#server.removeRequestHandler("logging/setLevel");
    this.#server.fallbackRequestHandler = (request, sdk) => this.#answer(request, sdk);
    const isDeaf = (): boolean => !this.#isListening;
    this.#updates = new ChangeNotifier({
      // What stands still before a socket is counted, and cut, by whoever holds the socket.
      pending: 0,
      get isLagging() {
        return isDeaf();
      },
      changed: (names) => {
        for (const name of names) {
          if (LIST_NEWS.has(name)) this.#notify(name);
          else this.#notify("resources/updated", { uri: name });
        }
      },
      keepAlive: () => {},
      drained: () => (isDeaf() ? new Promise((resolve) => this.#heard.push(resolve)) : Promise.resolve()),
      ended: () => {},
    });
  }

  /** Begins to speak over a transport of the SDK. */
  connect(transport: Transport): Promise<void> {
    return this.#server.connect(transport);
  }

  /** The revision agreed on; undefined before `initialize`. */
  get version(): string | undefined {
    return this.#server.getNegotiatedProtocolVersion();
  }

  /** Says whether the client hears what it is told unasked. What changes meanwhile is told, once, when it does. */
  listening(isListening: boolean): void {
    this.#isListening = isListening;
    if (!isListening) return;
    for (const wake of this.#heard.splice(0)) wake();
  }

  /** Tells the client, when it listens, that anything may have changed: nobody knows what it missed. */
  allChanged(): void {
    const { changes } = this.#context.catalog;
    for (const list of changes === undefined ? (["resources"] as const) : LISTS) this.changed(list);
    for (const uri of this.#updates.names) this.#updates.touch(uri);
  }

  /** Tells the client that a list is no longer what it was. */
  changed(list: ChangedList): void {
    this.#updates.touch(`${list}/list_changed`);
  }

  async close(): Promise<void> {
    if (this.#subscription !== undefined) this.#context.hub.unsubscribe(this.#subscription);
    await this.#server.close();
  }

  #notify(name: string, params: JsonObject = {}): void {
    this.#server.notification({ method: `notifications/${name}`, params }).catch(() => {
      // The session is over; nobody is there to be told.
    });
  }

  async #answer(request: JSONRPCRequest, sdk: ServerContext): Promise<JsonObject> {
    // Nobody waits for what was cancelled, or belongs to a session that is over; it must leave nothing behind.
    if (sdk.mcpReq.signal.aborted) return {};
    const over = new AbortController();
    try {
      const params = isObject(request.params) ? request.params : {};
      if (request.method === "resources/subscribe") return this.#subscribe(params);
      if (request.method === "resources/unsubscribe") return this.#unsubscribe(params);
      if (request.method === "logging/setLevel") return this.#setLogLevel(params);
      const method = MODERN_ONLY.has(request.method) ? undefined : METHODS.get(request.method);
      if (method === undefined)
        throw new McpError(CODES.methodNotFound, `Method not found: ${oneLine(request.method.slice(0, 100))}`);
      let inputs: Inputs = { responses: {}, state: undefined };
      for (let round = 0; round <= MAX_ROUNDS; round++) {
        const call = this.#call(request.method, params, sdk, inputs, over.signal);
        const result: Result = await method(params, call, this.#context.catalog);
        if (!isInputRequired(result)) return result as JsonObject;
        inputs = await this.#ask(request.method, params, result, call);
      }
      throw new McpError(CODES.internal, `Input was asked for ${MAX_ROUNDS} times in a row`);
    } catch (error) {
      const { code, message, data, cause } = asMcpError(error);
      if (cause !== undefined && !sdk.mcpReq.signal.aborted) this.#report(cause);
      // The SDK puts these three fields into the answer.
      throw Object.assign(new Error(message), {
        code,
        ...(data === undefined ? {} : { data }),
      });
    } finally {
      over.abort();
    }
  }

  /** `over` is aborted when the request is answered: what the client was asked for it is asked no longer. */
  #call(method: string, params: JsonObject, sdk: ServerContext, inputs: Inputs, over: AbortSignal): RequestContext {
    const { hub, limits, info, stay, states } = this.#context;
    const { mcpReq, http } = sdk;
    const { principal } = this;
    const { signal } = mcpReq;
    const notify = (name: string, what: JsonObject): void => {
      mcpReq.notify({ method: `notifications/${name}`, params: what }).catch(() => {
        // The client is gone; the signal says so.
      });
    };
    return {
      id: mcpReq.id,
      hub,
      principal,
      sender: senderOf(this.#server.getClientVersion()),
      limits,
      info,
      stay,
      signal,
      capabilities: this.#server.getClientCapabilities() ?? {},
      inputs,
      seal: (state) => states.seal(state, scopeOf(method, params, { principal })),
      progress: progressOf(mcpReq._meta?.progressToken, (what) => notify("progress", what)),
      log: (level, data, logger) => {
        if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#logLevel)) return;
        notify("message", { level, data, ...(logger === undefined ? {} : { logger }) });
      },
      ask: (name, what) => {
        const options = { timeout: ASK_TIMEOUT, signal: AbortSignal.any([signal, over]) };
        return mcpReq.send({ method: name, params: what } as never, options).catch((error: unknown) => {
          throw unanswered(name, error);
        });
      },
      pause: () => http?.closeSSE?.(),
    };
  }

  /** Asks the client, while its request is open, what a modern client would be sent away to find out. */
  async #ask(method: string, params: JsonObject, result: InputRequired, call: RequestContext): Promise<Inputs> {
    checkInputRequests(result, call);
    const answers = await Promise.all(
      Object.entries(result.inputRequests ?? {}).map(async ([name, { method: asked, params: what = {} }]) => [
        name,
        await call.ask?.(asked, what),
      ]),
    );
    const { requestState } = result;
    const scope = scopeOf(method, params, call);
    const state = requestState === undefined ? undefined : await this.#context.states.open(requestState, scope);
    return { responses: Object.fromEntries(answers) as JsonObject, state };
  }

  #subscribe({ uri }: JsonObject): JsonObject {
    const { hub, catalog, limits } = this.#context;
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const channels = watched(catalog, uri);
    if (channels === undefined)
      throw resourceNotFound(
        uri,
        catalog.resources.map(({ listing }) => listing.uri),
      );
    const updates = this.#updates;
    // A change that it was not told of so far must not be forgotten.
    if (updates.names.has(uri)) return {};
    if (updates.names.size >= limits.channels) {
      throw new HubError("TOO_MANY_CHANNELS", `${limits.channels} resources are subscribed to, the limit`);
    }
    updates.watch(uri, channels);
    if (this.#subscription === undefined) this.#subscription = hub.subscribe({ channels }, updates);
    else hub.add(this.#subscription, { channels });
    return {};
  }

  #unsubscribe({ uri }: JsonObject): JsonObject {
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const canonical = canonicalUri(uri);
    for (const name of this.#updates.names) {
      if (name !== uri && canonicalUri(name) !== canonical) continue;
      const unasked = this.#updates.unwatch(name);
      if (this.#subscription !== undefined) this.#context.hub.remove(this.#subscription, unasked);
    }
    return {};
  }

  #setLogLevel({ level }: JsonObject): JsonObject {
    const known = LOG_LEVELS.find((name) => name === level);
    if (known === undefined) throw invalidParams(`level must be one of ${LOG_LEVELS.join(", ")}`);
    this.#logLevel = known;
    return {};
  }
}
