import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Hub } from "../core/hub.ts";
import type { Audit } from "../auth/audit.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { BrowserSessions } from "../auth/browser-sessions.ts";
import type { Lifetimes } from "../auth/lifetimes.ts";
import type { Login } from "../auth/login.ts";
import type { ResourceMetadata } from "../auth/open-jwt.ts";
import type { Tickets } from "../auth/tickets.ts";
import { identityOf } from "../core/attendance.ts";
import type { Participants, Presence } from "../core/participants.ts";
import type { Files } from "../core/files.ts";
import type { Principal } from "../core/principal.ts";
import type { Questions } from "../core/questions.ts";
import type { Schedule } from "../core/schedule.ts";
import type { Correlation, Tracer } from "../core/trace.ts";
import type { BridgeStatus } from "../protocol/bridge-status.ts";
import type { RecentActivity, ServerInfo } from "../protocol/server-info.ts";
import type { RequestContext, ToolSet } from "../tools/index.ts";
import type { RateLimits } from "../limits/rate-limits.ts";
import type { ClientAddresses } from "../ops/client-address.ts";
import type { Caller, Client, Connections, StreamDoor } from "../ops/connections.ts";
import { clientName, type OpenConnections, type Opened } from "../ops/open-connections.ts";
import type { Notify } from "../notify/open.ts";
import type { Hooks } from "../webhooks/in/hooks.ts";
import type { Webhooks } from "../webhooks/out/webhooks.ts";
import type { DeliveryProof } from "./delivery-proof.ts";
import type { CallerRules } from "./host-and-origin.ts";
import type { RequestIds } from "./request-id.ts";
import type { Tls } from "./tls.ts";

/** What the doors work with: made by `server.ts`. */
export interface HttpContext {
  readonly hub: Hub;
  /** The same on all nodes, and after a restart. */
  readonly hubId: string;
  readonly schedule: Schedule;
  readonly questions: Questions;
  readonly participants: Participants;
  readonly tools: ToolSet;
  readonly connections: Connections;
  /** What is open, for admins to look at. */
  readonly open: OpenConnections;
  readonly audit: Audit;
  readonly callers: CallerRules;
  readonly limits: HttpLimits;
  readonly version: string;
  readonly proof: DeliveryProof;
  readonly requestIds: RequestIds;
  /** Undefined if nothing is traced. */
  readonly tracer: Tracer | undefined;
  /** Seconds between heartbeats. */
  readonly heartbeat: number;
  /** Whether the streams of `/events` are compressed for readers that accept gzip. */
  readonly compressStreams: boolean;
  /** Where messages are kept, for people to read. */
  readonly logName: string;
  readonly info: () => ServerInfo;
  readonly recent: { readonly activity: RecentActivity };
  readonly authenticator: Authenticator;
  /** What is open by whose credential. */
  readonly lifetimes: Lifetimes;
  /** Where the authorization servers are announced; undefined if there are none. */
  readonly metadataUrl: string | undefined;
  readonly addresses: ClientAddresses;
  readonly rateLimits: RateLimits;
  readonly resourceMetadata: ResourceMetadata | undefined;
  /** The origin that clients know the server by; empty if it is not known. */
  readonly publicUrl: string;
  /** The path below which they find it there, such as `/hub`; empty for none. */
  readonly basePath: string;
  readonly tickets: Tickets;
  /** Sessions of browsers; undefined if no one needs a credential. */
  readonly sessions: BrowserSessions | undefined;
  /** Undefined if the server speaks plain HTTP. */
  readonly tls: Tls | undefined;
  /** Verified webhooks; undefined without `HOOKS_FILE`. */
  readonly hooks: Hooks | undefined;
  /** At an identity provider; undefined if there is none. */
  readonly login: Login | undefined;
  readonly webhooks: Webhooks;
  /** Undefined if files cannot be kept where the log is. */
  readonly files: Files | undefined;
  /** Notifications of questions, and links that answer; undefined without `NOTIFY_FILE`. */
  readonly notify: Notify | undefined;
  /** Whether the server is stopping. */
  readonly isDraining: () => boolean;
  /** The state of the registration with Consul or Eureka; undefined without `DISCOVERY`. */
  readonly discovery: DiscoveryStatus | undefined;
  /** Connections to other buses; undefined if there are none. */
  readonly bridges: { status(): readonly BridgeStatus[] } | undefined;
}

interface DiscoveryStatus {
  /** `ok`, or what is not. */
  readonly state: string;
  /** Whether the registry lists the server as in service. */
  readonly isRegistered: boolean;
  /** Tries that failed. */
  readonly failures: number;
}

export interface HttpLimits {
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

/** Who is counted for a request. */
export function callerOf(request: IncomingMessage, principal: Principal, { addresses }: HttpContext): Caller {
  return new RequestCaller(request, principal, addresses);
}

/** A class, so that the address is looked up only if something is counted by it. */
class RequestCaller implements Caller {
  readonly principal: Principal;
  readonly #request: IncomingMessage;
  readonly #addresses: ClientAddresses;
  #address: string | undefined;

  constructor(request: IncomingMessage, principal: Principal, addresses: ClientAddresses) {
    this.principal = principal;
    this.#request = request;
    this.#addresses = addresses;
  }

  get address(): string {
    return (this.#address ??= this.#addresses.of(this.#request));
  }
}

/** Lets a reader in at a door, if its caller does not open too many; the function returned counts it out. */
export function enter(
  { connections, rateLimits }: HttpContext,
  door: Exclude<StreamDoor, "waiting">,
  by: Socket,
  caller: Caller,
): () => void {
  if (rateLimits.isOn) rateLimits.admit(caller.principal, caller.address, "connects");
  return connections.enter(door, by, caller);
}

/** Counts what a caller publishes; undefined if nothing is counted. */
export function admitFor({ rateLimits }: HttpContext, caller: Caller): RequestContext["admit"] {
  if (!rateLimits.isOn) return undefined;
  const { principal, address } = caller;
  return (what, cost) => rateLimits.admit(principal, address, what, cost);
}

/** Counts a call that waits as one of `by`, lists it as open, and ends it when its caller's credential does. */
export function stayFor(
  { connections, lifetimes, open, rateLimits }: HttpContext,
  by: Socket | Client,
  caller: Caller,
  client?: string,
): RequestContext["stay"] {
  return (end, channels = []) => {
    const done = rateLimits.hold(caller.principal, caller.address);
    let leave: () => void;
    try {
      leave = connections.enter("waiting", by, caller);
    } catch (error) {
      done();
      throw error;
    }
    const release = lifetimes.hold(caller.principal, { end });
    const { subject } = caller.principal;
    const { address } = caller;
    // Its connection carries other answers as well.
    const unlist = open.add({
      door: "waiting",
      subject,
      address,
      client,
      channels,
      watches: false,
      socket: undefined,
      end: () => end(),
    });
    return () => {
      unlist();
      release();
      leave();
      done();
    };
  };
}

/** Who calls, as far as a door knows more than the principal. */
export interface CallOrigin {
  /** What the client calls itself. */
  readonly client?: string | undefined;
  /** The connection among the participants that the call came with. */
  readonly presence?: Presence | undefined;
}

/** What a request that opens something says of its client. */
export function openedBy(
  { headers }: IncomingMessage,
  { principal, address }: Caller,
): Pick<Opened, "subject" | "address" | "client"> {
  return { subject: principal.subject, address, client: clientName(headers) };
}

/**
 * What tools work with when they are called through a door; calls that wait take the places of `by`. Without `presence`,
 * the caller is listed as an agent while a call waits.
 */
export function requestContext(
  context: HttpContext,
  call: { readonly signal: AbortSignal },
  by: Socket | Client,
  caller: Caller,
  correlation: Correlation | undefined,
  origin: CallOrigin = {},
): RequestContext {
  return new HttpRequestContext(context, call, by, caller, correlation, origin);
}

/** A class, so that `signal` is looked up only by the tools that ask for it, at no cost to the others. */
class HttpRequestContext implements RequestContext {
  readonly hub: RequestContext["hub"];
  readonly questions: RequestContext["questions"];
  readonly participants: Participants;
  readonly principal: Principal;
  readonly limits: RequestContext["limits"];
  readonly info: RequestContext["info"];
  readonly stay: RequestContext["stay"];
  readonly admit: RequestContext["admit"];
  correlation: Correlation | undefined;
  readonly #call: { readonly signal: AbortSignal };
  readonly #presence: Presence | undefined;

  constructor(
    context: HttpContext,
    call: { readonly signal: AbortSignal },
    by: Socket | Client,
    caller: Caller,
    correlation: Correlation | undefined,
    { client, presence }: CallOrigin,
  ) {
    const { hub, questions, participants, limits, info } = context;
    this.participants = participants;
    this.#presence = presence;
    this.correlation = correlation;
    this.hub = hub;
    this.questions = questions;
    this.principal = caller.principal;
    this.admit = admitFor(context, caller);
    this.limits = limits;
    this.info = info;
    this.stay = stayFor(context, by, caller, client);
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get presence(): Presence {
    return this.#presence ?? this.participants.caller(identityOf(this.principal, "agent"));
  }
}

/** The limits that a configuration sets. */
export function limitsOf(config: {
  readonly maxMessageBytes: number;
  readonly maxBodyBytes: number;
  readonly maxChannelsPerReader: number;
  readonly maxPendingBytes: number;
  readonly requestTimeout: number;
}): HttpLimits {
  return {
    message: config.maxMessageBytes,
    body: config.maxBodyBytes,
    channels: config.maxChannelsPerReader,
    pending: config.maxPendingBytes,
    request: config.requestTimeout * 1000,
  };
}
