import { HubError } from "../../core/errors.ts";
import type { RequestContext } from "../../tools/index.ts";
import { isObject, LEGACY_VERSIONS, LOG_LEVELS, McpError, type JsonObject, type LogLevel } from "../errors.ts";
import { senderOf } from "../modern/envelope.ts";
import { ClientRequests } from "./client-requests.ts";
import type { SessionSubscriptions } from "./session-subscriptions.ts";

/** The first revision whose clients accept an event without data, which gives them an id to resume from. */
const FIRST_PRIMED = "2025-11-25";

/** Characters of the URIs of one session that are stored for a restart. */
const MAX_KEPT = 64 * 1024;

/** The state that the requests of a session share. */
export class SessionState {
  /** As its last request said: its credential may have been renewed. */
  principal: RequestContext["principal"];
  /** Counts the waiting calls of this session. */
  stay: RequestContext["stay"];
  admit: RequestContext["admit"];
  /** Whether its streams can be resumed on another connection. */
  readonly isResumable: boolean;
  readonly subscriptions: SessionSubscriptions;
  readonly asked: ClientRequests = new ClientRequests();
  /** What the client declared in `initialize`; undefined before that. */
  client: SessionClient | undefined;
  logLevel: LogLevel = "debug";

  /** Called when `kept` has changed. */
  onChange: () => void = () => {};

  constructor(
    { principal, stay, admit }: Pick<RequestContext, "principal" | "stay" | "admit">,
    client: SessionClient | undefined,
    subscriptions: SessionSubscriptions,
    isResumable: boolean,
  ) {
    this.principal = principal;
    this.stay = stay;
    this.admit = admit;
    this.client = client;
    this.subscriptions = subscriptions;
    this.isResumable = isResumable;
  }

  /** Whether the client accepts an event without data. */
  get isPrimed(): boolean {
    return (this.client?.version ?? "") >= FIRST_PRIMED;
  }

  /** The state to store for a restart, as text; subscriptions that would make it too long are left out. */
  get kept(): string {
    let room = MAX_KEPT;
    const uris = this.subscriptions.uris.filter((uri) => (room -= uri.length) >= 0);
    return JSON.stringify({ logLevel: this.logLevel, uris });
  }

  /** Restores the stored state, and notifies the client that everything it subscribed to may have changed meanwhile. */
  restore(kept: string): void {
    const { logLevel, uris } = readKept(kept);
    this.logLevel = logLevel;
    for (const uri of uris) this.#subscribe(uri);
    this.subscriptions.allChanged();
  }

  #subscribe(uri: string): void {
    try {
      this.subscriptions.add({ uri }, this.principal);
    } catch (error) {
      // The resource may not exist any more, or the limit of subscriptions may be lower.
      if (!(error instanceof McpError || error instanceof HubError)) throw error;
    }
  }
}

/** Parses the stored state; ignores what is invalid, since the file may have been changed by hand. */
function readKept(text: string): { readonly logLevel: LogLevel; readonly uris: readonly string[] } {
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    kept = undefined;
  }
  const { logLevel, uris } = isObject(kept) ? kept : {};
  return {
    logLevel: LOG_LEVELS.find((level) => level === logLevel) ?? "debug",
    uris: Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [],
  };
}

/** What a session keeps of the params of `initialize`. */
export interface SessionClient {
  /** The revision agreed on. */
  readonly version: string;
  /** The name of the client, as a sender. */
  readonly sender: string | undefined;
  /** The capabilities that the client declared. */
  readonly capabilities: JsonObject;
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
  return {
    version: asked ?? (LEGACY_VERSIONS[0] as string),
    sender: senderOf(clientInfo),
    capabilities: essential(isObject(capabilities) ? capabilities : {}),
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
