import type { Socket } from "node:net";
import type { Hub } from "../core/hub.ts";
import type { Principal } from "../core/principal.ts";
import type { ServerInfo } from "../protocol/server-info.ts";
import type { ToolContext, ToolSet } from "../tools/index.ts";
import type { Client, Connections } from "../ops/connections.ts";
import type { CallerRules } from "./host-and-origin.ts";

/** What the doors work with: made by `server.ts`. */
export interface HttpContext {
  readonly hub: Hub;
  readonly tools: ToolSet;
  readonly connections: Connections;
  readonly callers: CallerRules;
  readonly limits: HttpLimits;
  readonly version: string;
  /** Seconds between heartbeats. */
  readonly heartbeat: number;
  /** Where messages are kept, for people to read. */
  readonly logName: string;
  readonly info: () => ServerInfo;
  /** Who asks. */
  readonly principal: () => Principal;
  /** Whether the server is stopping. */
  readonly isDraining: () => boolean;
}

interface HttpLimits {
  /** Bytes of one message. */
  readonly message: number;
  /** Bytes of one request body or frame. */
  readonly body: number;
  /** Channels and patterns of one reader. */
  readonly channels: number;
  /** Bytes a reader may lag before it is cut. */
  readonly pending: number;
  /** Milliseconds a request may take to arrive. */
  readonly request: number;
}

/** What tools work with when they are called through a door; calls that wait take the places of `by`. */
export function toolContext(
  context: HttpContext,
  call: { readonly signal: AbortSignal },
  by: Socket | Client,
): ToolContext {
  return new DoorContext(context, call, by);
}

/** A class, so that `signal` is looked up only by the tools that ask for it, at no cost to the others. */
class DoorContext implements ToolContext {
  readonly hub: ToolContext["hub"];
  readonly principal: Principal;
  readonly limits: ToolContext["limits"];
  readonly info: ToolContext["info"];
  readonly stay: ToolContext["stay"];
  readonly #call: { readonly signal: AbortSignal };

  constructor(
    { hub, principal, limits, info, connections }: HttpContext,
    call: { readonly signal: AbortSignal },
    by: Socket | Client,
  ) {
    this.hub = hub;
    this.principal = principal();
    this.limits = limits;
    this.info = info;
    this.stay = () => connections.enter("waiting", by);
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}
