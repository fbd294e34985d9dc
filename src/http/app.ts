import type { IncomingMessage, Server as HttpServer } from "node:http";
import { TLSSocket } from "node:tls";
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifySchemaCompiler,
} from "fastify";
import type { Registry } from "prom-client";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { lenient, problems } from "../tools/index.ts";
import { answerLinks, isAnswerLink } from "./answer-links.ts";
import { authentication } from "./authentication.ts";
import { watchBasePath, withoutBasePath } from "./base-path.ts";
import { channels } from "./channels.ts";
import { compression } from "./compression.ts";
import { connectionRoutes } from "./connections.ts";
import type { HttpContext } from "./context.ts";
import { docs } from "./docs.ts";
import { events } from "./sse/route.ts";
import { files } from "./files.ts";
import { asHubError, keepOpen, problem, errorHeaders, PROBLEM_HEADERS, rawProblem } from "./problem-details.ts";
import { guide } from "./guide.ts";
import { hooks } from "./hooks.ts";
import { healthRoutes, PROBES } from "./health.ts";
import { endGracefully, endStream, sendRetry, takesOnlyEvents } from "./sse/raw-socket.ts";
import { login } from "./login.ts";
import { mcp, type McpDoor } from "./mcp/route.ts";
import { notFound } from "./not-found.ts";
import { metrics } from "./metrics.ts";
import { checkCaller, checkHost, checkOrigin } from "./host-and-origin.ts";
import { pages } from "./pages.ts";
import { participantRoute } from "./participants.ts";
import { purge } from "./purge.ts";
import { pushRoutes } from "./push.ts";
import { questionRoutes } from "./questions.ts";
import { logFields, REQUEST_ID } from "./request-id.ts";
import { boundPipelines } from "./pipelines.ts";
import { isResourceMetadata, resourceMetadata } from "./resource-metadata.ts";
import { rpc } from "./mcp/tools-rpc.ts";
import { recentActivity } from "./recent.ts";
import { scheduledMessages } from "./scheduled.ts";
import { session } from "./session.ts";
import { cors, SECURITY_HEADERS, strictTransport } from "./security-headers.ts";
import { tracing } from "./tracing.ts";
import { webhookRoutes } from "./webhooks.ts";
import { ws } from "./ws/route.ts";

export interface AppOptions {
  readonly context: HttpContext;
  readonly mcp: McpDoor;
  readonly log: FastifyBaseLogger;
  /** All that is metricsRegistry. */
  readonly metricsRegistry: Registry;
}

/** Milliseconds between looks for requests that take too long to arrive. */
const CHECK_INTERVAL = 2000;
/** Milliseconds of silence after which the system asks whether a peer is still there. */
const KEEP_ALIVE_PROBE = 30_000;
/** Milliseconds to become TLS in: a connection that does not keeps a server that stops waiting for it. */
const HANDSHAKE_TIMEOUT = 5000;
/** More than the head of a request can hold: how long a name may be is for the routes to say. */
const MAX_PARAM = 65_536;

/** Unanswered requests that one connection may have beside the calls that may wait on it. */
const OTHER_REQUESTS = 100;

/** The HTTP side: hooks and doors in their order. */
export async function createApp({ context, mcp: mcpDoor, log, metricsRegistry }: AppOptions): Promise<FastifyInstance> {
  const { limits, callers, tls, basePath } = context;
  const http = {
    // Clients that offer HTTP/2 on every request are answered in HTTP/1.1.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket",
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE,
    headersTimeout: limits.request,
    connectionsCheckingInterval: CHECK_INTERVAL,
  };
  const https = tls === undefined ? null : { ...http, ...tls.options, handshakeTimeout: HANDSHAKE_TIMEOUT };
  const options: FastifyHttpOptions<HttpServer> = {
    rewriteUrl: ({ url = "/" }) => withoutBasePath(url, basePath),
    bodyLimit: limits.body,
    requestTimeout: limits.request,
    forceCloseConnections: true,
    // The doors refuse what comes while the server stops, each in its own way.
    return503OnClosing: false,
    logController: new LogController({ disableRequestLogging: true }),
    loggerInstance: log,
    requestIdHeader: false,
    genReqId: ({ headers }) => context.requestIds.of(headers),
    // A logger for each request costs more than most requests are worth; no line here names one.
    childLoggerFactory: (parent) => parent,
    routerOptions: { maxParamLength: MAX_PARAM, ignoreTrailingSlash: true },
    // A message may hold any JSON; it is written out again as it came, and nothing is read from it.
    onProtoPoisoning: "ignore",
    onConstructorPoisoning: "ignore",
    http,
    frameworkErrors(error, { headers, id }, reply) {
      // No hook has run before this.
      let known = asHubError(error, limits.body);
      try {
        checkCaller(headers, callers);
      } catch (refused) {
        known = asHubError(refused, limits.body);
      }
      void (reply as FastifyReply)
        .status(known.status)
        .headers({ ...PROBLEM_HEADERS, [REQUEST_ID]: id })
        .send(problem(known, id));
    },
    clientErrorHandler(error, socket) {
      // It never became TLS, as a request with plain HTTP, so nothing can be said on it.
      if (socket instanceof TLSSocket && socket.getProtocol() === null) {
        socket.destroy();
        return;
      }
      const isLate = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
      const sentence = isLate ? "The request took too long to arrive" : "The request cannot be read as HTTP";
      // A stream has begun on this connection, so a problem would end up inside it.
      if (endStream(socket, sentence)) return;
      endGracefully(
        socket,
        rawProblem(new HubError(isLate ? "REQUEST_TIMEOUT" : "INVALID_REQUEST", sentence), context),
      );
    },
  };
  // Given here, so that Fastify's own compilers for JSON Schema, of which its types are, are not even loaded.
  const compilersFactory = { buildValidator: () => validator as never, buildSerializer: () => serializer };
  const schemaController = { compilersFactory };
  const app = Fastify({ ...options, https, schemaController } as FastifyHttpOptions<HttpServer>) as FastifyInstance;
  const { connections } = context;
  app.decorateRequest("trace", undefined);
  tls?.serve(app);
  boundPipelines(app.server, connections.mostWaits + OTHER_REQUESTS, (socket) => connections.waitsOn(socket));

  app.setErrorHandler((error, request, reply) => {
    keepOpen(reply);
    const known = asHubError(error, limits.body);
    // Balancers hand a connection to one server: on another, the next request reaches one that goes on.
    if (known.code === "SHUTTING_DOWN") reply.header("connection", "close");
    if (known.code === "INTERNAL") request.log.error(logFields(error, request), "a request failed");
    if (known.retry && takesOnlyEvents(request)) return sendRetry(reply, known);
    reply.headers({ ...errorHeaders(known, context), "content-type": "application/problem+json" });
    return reply.status(known.status).send(problem(known, request.id));
  });
  const checkBasePath = watchBasePath(app, basePath);
  notFound(app, context);

  app.addHook("onRequest", (request, reply, next) => {
    reply.headers(SECURITY_HEADERS);
    reply.header(REQUEST_ID, request.id);
    if (tls !== undefined) strictTransport(request, reply);
    let refused: Error | undefined;
    try {
      // The framework builds the options of the route each time it is asked for them.
      const isProbe = request.url.includes("/health") && PROBES.has(request.routeOptions.url ?? "");
      if (isProbe) checkOrigin(request.headers, callers);
      else if (isResourceMetadata(request.url, basePath) || isAnswerLink(request.url))
        checkHost(request.headers, callers);
      else checkCaller(request.headers, callers);
    } catch (error) {
      refused = error as Error;
    }
    next(refused);
  });
  cors(app, callers);
  if (context.tracer !== undefined) tracing(app, context.tracer);
  authentication(app, context);
  await compression(app);
  await docs(app, context);
  healthRoutes(app, context);
  rpc(app, context);
  mcp(app, context, mcpDoor);
  await app.register(async (scope) => channels(scope, context));
  await app.register(async (scope) => files(scope, context));
  await app.register(async (scope) => hooks(scope, context));
  await app.register(async (scope) => scheduledMessages(scope, context));
  await app.register(async (scope) => questionRoutes(scope, context));
  await app.register(async (scope) => answerLinks(scope, context));
  await app.register(async (scope) => pushRoutes(scope, context));
  await app.register(async (scope) => webhookRoutes(scope, context));
  events(app, context);
  ws(app, context);
  await app.register(async (scope) => session(scope, context));
  await app.register(async (scope) => connectionRoutes(scope, context));
  await app.register(async (scope) => purge(scope, context));
  metrics(app, context, metricsRegistry);
  participantRoute(app, context);
  recentActivity(app, context);
  resourceMetadata(app, context);
  login(app, context);
  await pages(app, context);
  guide(app);
  checkBasePath();
  return app;
}

const serializer = () => (value: unknown) => JSON.stringify(value);

/**
 * Checks the input of a route, with the sentences of the tools. Schemas of headers and bodies are there to be
 * read: a header is text, and each route looks at its body itself.
 */
const validator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  if (httpPart === "headers" || httpPart === "body") return () => true;
  return (given) => {
    const data = httpPart === "querystring" && schema instanceof z.ZodObject ? lenient(schema, given) : given;
    const { error, data: value } = schema.safeParse(data);
    if (error === undefined) return { value };
    const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    return { error: new HubError("INVALID_INPUT", problems(error, data, known)) };
  };
};
