import { identityOf, type Identity } from "../../core/attendance.ts";
import type { Attendee, Leave, Participants } from "../../core/participants.ts";
import { hasGrants } from "../../core/principal.ts";
import type { RequestContext } from "../../tools/index.ts";
import { showsViews } from "../apps.ts";
import { isObject, LEGACY_VERSIONS, type JsonObject, type LogLevel } from "../errors.ts";
import { senderOf } from "../modern/envelope.ts";
import { ClientRequests } from "./client-requests.ts";
import type { SessionRecord } from "./session-records.ts";
import { parseStoredState, type StateChange, type StoredState } from "./stored-state.ts";
import type { SessionSubscriptions } from "./session-subscriptions.ts";

/** The first revision whose clients accept an event without data, which gives them an id to resume from. */
const FIRST_PRIMED = "2025-11-25";

/** The state that the requests of a session share. */
export class SessionState {
  /** As its last request said: its credential may have been renewed. */
  principal: RequestContext["principal"];
  /** Counts the waiting calls of this session. */
  stay: RequestContext["stay"];
  admit: RequestContext["admit"];
  /** The last request of its client that came. */
  correlation: RequestContext["correlation"];
  /** Whether its streams can be resumed on another connection. */
  readonly isResumable: boolean;
  /** Whether its client's next request may come to another node. */
  readonly isShared: boolean;
  readonly subscriptions: SessionSubscriptions;
  /** Its client among the participants. */
  readonly attendee: Attendee;
  readonly asked: ClientRequests = new ClientRequests();
  /** What the client declared in `initialize`; undefined before that. */
  client: SessionClient | undefined;
  logLevel: LogLevel = "debug";
  /** What is stored of it, as far as this node knows; undefined if nothing is. */
  record: SessionRecord | undefined;
  /** Stores a change that was made here; rejects if that is not possible. */
  store: (change: StateChange) => Promise<void> = () => Promise.resolve();

  constructor(
    { principal, stay, admit }: Pick<RequestContext, "principal" | "stay" | "admit">,
    client: SessionClient | undefined,
    subscriptions: SessionSubscriptions,
    {
      isResumable,
      isShared,
      participants,
    }: { readonly isResumable: boolean; readonly isShared: boolean; readonly participants: Participants },
  ) {
    this.principal = principal;
    this.stay = stay;
    this.admit = admit;
    this.client = client;
    this.subscriptions = subscriptions;
    this.isResumable = isResumable;
    this.isShared = isShared;
    this.attendee = participants.attendee(this.#identity, () => subscriptions.channels);
  }

  /** Has the participants list its client, while one of its connections is open. */
  connect(): Leave {
    this.identify();
    return hasGrants(this.principal) ? this.attendee.connect() : () => {};
  }

  /** Has its client listed by the name that is known by now. */
  identify(): void {
    this.attendee.identity = this.#identity;
  }

  get #identity(): Identity {
    return identityOf(this.principal, "agent", this.client?.sender);
  }

  /** Whether the client accepts an event without data. */
  get isPrimed(): boolean {
    return (this.client?.version ?? "") >= FIRST_PRIMED;
  }

  /** What to store of it. */
  get toStore(): StoredState {
    return { logLevel: this.logLevel, uris: this.subscriptions.uris };
  }

  /** Goes on with what is stored, and returns it. */
  follow(record: SessionRecord): StoredState {
    const stored = parseStoredState(record.state);
    this.record = record;
    this.logLevel = stored.logLevel;
    this.subscriptions.follow(stored.uris, this.principal);
    return stored;
  }
}

/** What a session keeps of the params of `initialize`. */
export interface SessionClient {
  /** The revision agreed on. */
  readonly version: string;
  /** The name of the client, as a sender. */
  readonly sender: string | undefined;
  /** The capabilities that the client declared. */
  readonly capabilities: JsonObject;
  /** Set if it shows views: short, since all this is part of the session's id. */
  readonly views?: true;
}

/** The capabilities, and the parts of them, that decide which requests a client accepts; others are ignored. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  elicitation: ["form", "url"],
  roots: ["listChanged"],
  sampling: ["context", "tools"],
};

/** The client that sent these params of `initialize`, which were checked. */
export function clientOf({ protocolVersion, capabilities, clientInfo }: JsonObject): SessionClient {
  const asked = LEGACY_VERSIONS.find((version) => version === protocolVersion);
  const declared = isObject(capabilities) ? capabilities : {};
  return {
    version: asked ?? (LEGACY_VERSIONS[0] as string),
    sender: senderOf(clientInfo),
    capabilities: essential(declared),
    ...(showsViews(declared) ? { views: true } : {}),
  };
}

function essential(capabilities: JsonObject): JsonObject {
  const kept = Object.entries(PARTS).flatMap(([name, parts]) => {
    const value = capabilities[name];
    if (!isObject(value)) return [];
    return [[name, Object.fromEntries(parts.flatMap((part) => keptPart(part, value[part])))] as const];
  });
  return Object.fromEntries(kept);
}

function keptPart(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (value === true) return [[name, true]];
  return isObject(value) ? [[name, {}]] : [];
}
