import type { Socket } from "node:net";
import type { Hub } from "../core/hub.ts";
import type { Principal } from "../core/principal.ts";
import type { ServerInfo, ToolContext } from "../tools/index.ts";
import type { Connections, Holder } from "./limits.ts";
import type { CallerRules } from "./origin.ts";

/** What the doors work with: made by `server.ts`. */
export interface HttpContext {
  readonly hub: Hub;
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
  /** Bytes a reader may leave untaken. */
  readonly pending: number;
  /** Milliseconds a request may take to arrive. */
  readonly request: number;
}

/** What tools work with when they are called through a door; `by` holds the places of calls that wait. */
export function toolContext(
  context: HttpContext,
  call: { readonly signal: AbortSignal },
  by: Socket | Holder,
): ToolContext {
  const { hub, limits, connections, info } = context;
  return {
    hub,
    principal: context.principal(),
    limits,
    info,
    stay: () => connections.enter("waiting", by),
    get signal() {
      return call.signal;
    },
  };
}
