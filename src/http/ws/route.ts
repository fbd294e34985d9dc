import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { twoCredentials } from "../../auth/credential.ts";
import { HubError } from "../../core/errors.ts";
import { checkSubscribe, hasGrants } from "../../core/principal.ts";
import type { SubscribeRequest } from "../../core/subscription.ts";
import { withoutBasePath } from "../base-path.ts";
import { clientName } from "../../ops/open-connections.ts";
import { callerOf, enter, type HttpContext } from "../context.ts";
import type { Caller } from "../../ops/connections.ts";
import { judged } from "../authentication.ts";
import { cursorParameter } from "../sse/route.ts";
import { asHubError, problem, rawProblem } from "../problem-details.ts";
import { logFields, REQUEST_ID } from "../request-id.ts";
import { endGracefully } from "../sse/raw-socket.ts";
import { checkCaller } from "../host-and-origin.ts";
import { readerIdentity } from "../participants.ts";
import { requestedChannels, requestedCursor, requestedWatch, streamQuery } from "../channel-query.ts";
import { WsConnection } from "./connection.ts";
import { clientFrame } from "./frames.ts";
import { WsPresence } from "./presence.ts";

const query = z.object({
  channel: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({ description: "As for /events; empty for none at first", examples: ["orders.*"] }),
  last_event_id: cursorParameter,
  watch: z
    .string()
    .optional()
    .meta({ description: "As for /events", examples: ["true"] }),
});

const SUBPROTOCOL = "hub.v1";
/** Before a token in base64url among the subprotocols that a browser offers. */
const TOKEN_PROTOCOL = "hub.bearer.";

/** Milliseconds a client has to answer a close frame. */
const CLOSE_TIMEOUT = 2000;

/** `GET /ws`: messages and calls over WebSocket. */
export function ws(app: FastifyInstance, context: HttpContext): void {
  const schema = {
    summary: "Receive and publish over WebSocket",
    description: `Every frame is one JSON object with \`type\`. A client sends one of: \`\`\`json\n${JSON.stringify(z.toJSONSchema(clientFrame))}\n\`\`\``,
    tags: ["receive"],
    querystring: query,
    response: { 101: z.null().describe("Switching to WebSocket"), 426: z.null().describe("Not a WebSocket handshake") },
  };
  app.get("/ws", { schema }, (_, reply) => {
    const error = new HubError(
      "INVALID_REQUEST",
      "This is a WebSocket: open it with new WebSocket(), not with a request",
    );
    return reply
      .status(426)
      .headers({ upgrade: "websocket", "content-type": "application/problem+json" })
      .send({ ...problem(error), status: 426, title: "Upgrade Required" });
  });
  const options = {
    noServer: true,
    maxPayload: context.limits.body,
    perMessageDeflate: false,
    clientTracking: false,
    // The token itself is never sent back (kubernetes/kubernetes#47740).
    handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : (false as const)),
    // Its types do not know this one yet.
    closeTimeout: CLOSE_TIMEOUT,
  };
  const server = new WebSocketServer(options);
  server.on("headers", (headers, request) => headers.push(`${REQUEST_ID}: ${idOf(request)}`));
  server.on("wsClientError", ({ message }, socket, request) => {
    endGracefully(
      socket as Socket,
      rawProblem(
        new HubError("INVALID_REQUEST", `The WebSocket handshake is wrong: ${message}`),
        context,
        idOf(request),
      ),
    );
  });
  const upgrade = async (request: IncomingMessage, socket: Socket, rest: Buffer): Promise<void> => {
    const id = context.requestIds.of(request.headers);
    request.headers[REQUEST_ID] = id;
    try {
      const { asked, caller, leave } = await admit(request, socket, context);
      socket.once("close", leave);
      server.handleUpgrade(request, socket, rest, (client) => {
        const { kind } = readerIdentity(caller.principal, request.headers);
        const presence = new WsPresence(context.participants, kind, clientName(request.headers));
        new WsConnection(client, socket, context, caller, asked, {
          id,
          presence,
          failed: (error, correlation) => app.log.error(logFields(error, correlation), "a frame failed"),
        });
      });
    } catch (error) {
      endGracefully(socket, rawProblem(asHubError(error, context.limits.body), context, id));
    }
  };
  app.server.on("upgrade", (request, socket: Socket, rest) => {
    socket.on("error", () => socket.destroy());
    void upgrade(request, socket, rest);
  });
}

/** That which an upgrade was given. */
function idOf({ headers }: IncomingMessage): string {
  return String(headers[REQUEST_ID]);
}

interface Admitted {
  readonly caller: Caller;
  readonly asked: SubscribeRequest;
  readonly leave: () => void;
}

/** An upgrade passes no hook of the framework, so everything is checked here. */
async function admit(request: IncomingMessage, socket: Socket, context: HttpContext): Promise<Admitted> {
  const { headers } = request;
  const url = withoutBasePath(request.url ?? "/", context.basePath);
  const { authenticator } = context;
  checkCaller(headers, context.callers);
  const path = url.split("?", 1)[0];
  if (path !== "/ws" && path !== "/ws/") throw new HubError("NOT_FOUND", "There is no WebSocket here; it is at /ws");
  const asked = streamQuery(url);
  const channels = requestedChannels(asked, context.limits.channels);
  const after = requestedCursor(headers["last-event-id"] as string | undefined, asked);
  const watch = requestedWatch(asked);
  const find = (): ReturnType<typeof authenticator.authenticateUpgrade> =>
    authenticator.authenticateUpgrade(request, subprotocolToken(headers));
  const caller = callerOf(request, await judged(find, () => context.addresses.of(request), context), context);
  const { principal } = caller;
  // What a browser is answered before the socket opens no script can read: it is told on the socket.
  const isReadable = headers.origin === undefined && (principal.kind !== "anonymous" || hasGrants(principal));
  if (isReadable) checkSubscribe(principal, channels);
  return { caller, asked: { channels, after, watch }, leave: enter(context, "websocket", socket, caller) };
}

/**
 * The token that a client offers among its subprotocols: the one place where a browser's WebSocket can put it. Throws
 * `INVALID_REQUEST` if there are two.
 */
function subprotocolToken({ "sec-websocket-protocol": offered = "" }: IncomingHttpHeaders): string | undefined {
  const words = offered.split(",").map((word) => word.trim());
  const [found, ...more] = words.filter((word) => word.startsWith(TOKEN_PROTOCOL));
  if (more.length > 0) throw twoCredentials();
  return found === undefined ? undefined : Buffer.from(found.slice(TOKEN_PROTOCOL.length), "base64url").toString();
}
