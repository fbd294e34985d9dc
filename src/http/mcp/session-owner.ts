import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import type { SessionOwner } from "../../mcp/legacy/session-store.ts";
import type { LegacySession } from "../../mcp/legacy/session.ts";
import { holderOf, type Client } from "../../ops/connections.ts";
import { clientName, type Opened } from "../../ops/open-connections.ts";
import { principalOf } from "../authentication.ts";
import { correlationOf } from "../request-id.ts";
import { admitFor, callerOf, stayFor, type openedBy, type HttpContext } from "../context.ts";

/** Whose session a request opens; its calls that wait are counted as those of one client. */
export function ownerOf(request: FastifyRequest, context: HttpContext): SessionOwner {
  // Now, since a socket that has closed has no address, and the session may outlive it.
  const caller = callerOf(request.raw, principalOf(request, context), context);
  const client = context.connections.client(caller.address);
  return {
    principal: caller.principal,
    holder: holderOf(caller),
    stay: stayFor(context, client, caller, clientName(request.headers)),
    admit: admitFor(context, caller),
    correlation: correlationOf(request),
  };
}

const clients = new WeakMap<LegacySession, Client>();

/** Who sends a message of a session: the calls of one session that wait are counted together, whoever made them. */
export function actorIn(
  session: LegacySession,
  owner: SessionOwner,
  request: FastifyRequest,
  context: HttpContext,
): SessionOwner {
  const caller = callerOf(request.raw, owner.principal, context);
  let client = clients.get(session);
  if (client === undefined) clients.set(session, (client = context.connections.client(caller.address)));
  const counted = client;
  return {
    ...owner,
    stay: (end, channels) => stayFor(context, counted, caller, session.state.client?.sender)(end, channels),
  };
}

/** A stream of a session, as admins see it. */
export function sessionStream(
  { state }: LegacySession,
  { subject, address, client }: ReturnType<typeof openedBy>,
  socket: Socket | undefined,
  end: () => void,
): Opened {
  return {
    door: "mcp",
    subject,
    address,
    get client() {
      return state.client?.sender ?? client;
    },
    get channels() {
      return state.subscriptions.channels;
    },
    watches: false,
    socket,
    end,
  };
}
