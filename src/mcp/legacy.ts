import { Server, type JSONRPCRequest, type ServerContext, type Transport } from "@modelcontextprotocol/server";
import { HubError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { Subscription } from "../core/subscription.ts";
import type { Call, Inputs } from "./call.ts";
import { capabilities, METHODS, type Result } from "./methods.ts";
import { checkInputRequests } from "./input-requests.ts";
import { progressOf } from "./meta.ts";
import type { McpContext } from "./modern.ts";
import type { InputRequired } from "./offer.ts";
import { asMcpError, CODES, invalidParams, isObject, LEGACY_VERSIONS, McpError, type JsonObject } from "./protocol.ts";
import { scopeOf } from "./request-state.ts";
import { resourceNotFound, watched } from "./resources.ts";
import { Updates } from "./updates.ts";

/** Milliseconds a client has to answer what it was asked: people may have to. */
const ASK_TIMEOUT = 300_000;
/** Times in a row that one request may ask for input. */
const MAX_ROUNDS = 8;
const MODERN_ONLY: ReadonlySet<string> = new Set(["server/discover", "subscriptions/listen"]);

/** One session of the initialize era: the official SDK speaks the protocol, the shared methods do the work. */
export class LegacySession {
  readonly principal: Principal;
  readonly #server: Server;
  readonly #context: McpContext;
  readonly #report: (error: unknown) => void;
  readonly #updates: Updates;
  #subscription: Subscription | undefined;

  /** `report` is told of errors that no client can have caused. */
  constructor(context: McpContext, principal: Principal, report: (error: unknown) => void) {
    this.#context = context;
    this.principal = principal;
    this.#report = report;
    const { offer, serverInfo } = context;
    this.#server = new Server(serverInfo, {
      capabilities: { ...capabilities(offer), logging: {} },
      instructions: offer.instructions,
      supportedProtocolVersions: [...LEGACY_VERSIONS],
    });
    this.#server.fallbackRequestHandler = (request, sdk) => this.#answer(request, sdk);
    this.#updates = new Updates({
      // What stands still before a socket is counted, and cut, by whoever holds the socket.
      pending: 0,
      isLagging: false,
      changed: (names) => {
        for (const uri of names) this.notify("resources/updated", { uri });
      },
      keepAlive: () => {},
      drained: () => Promise.resolve(),
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

  /** Sends a notification on the stream that the client keeps open; kept for it where there is none right now. */
  notify(name: string, params: JsonObject = {}): void {
    this.#server.notification({ method: `notifications/${name}`, params }).catch(() => {
      // The session is over; nobody is there to be told.
    });
  }

  async close(): Promise<void> {
    if (this.#subscription !== undefined) this.#context.hub.unsubscribe(this.#subscription);
    await this.#server.close();
  }

  async #answer(request: JSONRPCRequest, sdk: ServerContext): Promise<JsonObject> {
    try {
      const params = isObject(request.params) ? request.params : {};
      if (request.method === "resources/subscribe") return this.#subscribe(params);
      if (request.method === "resources/unsubscribe") return this.#unsubscribe(params);
      const method = MODERN_ONLY.has(request.method) ? undefined : METHODS.get(request.method);
      if (method === undefined)
        throw new McpError(CODES.methodNotFound, `Method not found: ${request.method.slice(0, 100)}`);
      let inputs: Inputs = { responses: {}, state: undefined };
      for (let round = 0; round <= MAX_ROUNDS; round++) {
        const call = this.#call(request.method, params, sdk, inputs);
        const result: Result = await method(params, call, this.#context.offer);
        if (!isInputRequired(result)) return result;
        inputs = await this.#ask(request.method, params, result, call);
      }
      throw new McpError(CODES.internal, `Input was asked for ${MAX_ROUNDS} times in a row`);
    } catch (error) {
      const { code, message, data, cause } = asMcpError(error);
      if (cause !== undefined) this.#report(cause);
      // The SDK puts these three fields into the answer.
      throw Object.assign(new Error(message), {
        code,
        ...(data === undefined ? {} : { data }),
      });
    }
  }

  #call(method: string, params: JsonObject, sdk: ServerContext, inputs: Inputs): Call {
    const { hub, limits, info, stay, states } = this.#context;
    const { mcpReq, http } = sdk;
    const { principal } = this;
    const sent = (done: Promise<void>): void => {
      done.catch(() => {
        // The client is gone; the signal says so.
      });
    };
    return {
      id: mcpReq.id,
      era: "legacy",
      hub,
      principal,
      limits,
      info,
      stay,
      signal: mcpReq.signal,
      capabilities: this.#server.getClientCapabilities() ?? {},
      inputs,
      seal: (state) => states.seal(state, scopeOf(method, params, { principal })),
      progress: progressOf(mcpReq._meta?.progressToken, (what) =>
        sent(mcpReq.notify({ method: "notifications/progress", params: what })),
      ),
      log: (level, data, logger) => sent(mcpReq.log(level, data, logger)),
      ask: (name, what) => mcpReq.send({ method: name, params: what } as never, { timeout: ASK_TIMEOUT }),
      pause: () => http?.closeSSE?.(),
    };
  }

  /** Asks the client, while its request is open, what a modern client would be sent away to find out. */
  async #ask(method: string, params: JsonObject, result: InputRequired, call: Call): Promise<Inputs> {
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
    const { hub, offer, limits } = this.#context;
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const channels = watched(offer, uri);
    if (channels === undefined)
      throw resourceNotFound(
        uri,
        offer.resources.map(({ listing }) => listing.uri),
      );
    const updates = this.#updates;
    if (!updates.names.has(uri) && updates.names.size >= limits.channels) {
      throw new HubError("TOO_MANY_CHANNELS", `${limits.channels} resources are subscribed to, the limit`);
    }
    updates.watch(uri, channels);
    if (this.#subscription === undefined) this.#subscription = hub.subscribe({ channels }, updates);
    else hub.add(this.#subscription, { channels });
    return {};
  }

  #unsubscribe({ uri }: JsonObject): JsonObject {
    if (typeof uri !== "string") throw invalidParams("uri is missing; give the URI of a resource");
    const unasked = this.#updates.unwatch(uri);
    if (this.#subscription !== undefined) this.#context.hub.remove(this.#subscription, unasked);
    return {};
  }
}

function isInputRequired(result: Result): result is InputRequired {
  return (result as { resultType?: unknown }).resultType === "input_required";
}
