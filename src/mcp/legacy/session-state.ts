import { HubError } from "../../core/errors.ts";
import type { RequestContext } from "../../tools/index.ts";
import { isObject, LEGACY_VERSIONS, LOG_LEVELS, McpError, type JsonObject, type LogLevel } from "../errors.ts";
import { senderOf } from "../modern/envelope.ts";
import { ClientRequests } from "./client-requests.ts";
import type { SessionSubscriptions } from "./session-subscriptions.ts";

/** From this revision on clients understand an event without data, which gives them a place to come back to. */
const FIRST_PRIMED = "2025-11-25";

/** Characters of the URIs of one session that are kept for a restart. */
const MAX_KEPT = 64 * 1024;

/** What the requests of a session have in common. */
export class SessionState {
  readonly principal: RequestContext["principal"];
  /** Counts the calls of this session that wait. */
  readonly stay: RequestContext["stay"];
  readonly admit: RequestContext["admit"];
  /** Whether its streams can be taken up again on another connection. */
  readonly isResumable: boolean;
  readonly subscriptions: SessionSubscriptions;
  readonly asked: ClientRequests = new ClientRequests();
  /** What the client said of itself; undefined before `initialize`. */
  client: SessionClient | undefined;
  logLevel: LogLevel = "debug";

  /** Called when something has changed that is to outlive a restart. */
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

  /** Whether the client understands an event without data. */
  get isPrimed(): boolean {
    return (this.client?.version ?? "") >= FIRST_PRIMED;
  }

  /** What is to outlive a restart, as text; subscriptions that make it too long are left out. */
  get kept(): string {
    let room = MAX_KEPT;
    const uris = this.subscriptions.uris.filter((uri) => (room -= uri.length) >= 0);
    return JSON.stringify({ logLevel: this.logLevel, uris });
  }

  /** Takes back what outlived a restart, and tells the client that all it listens to may have changed meanwhile. */
  restore(kept: string): void {
    const { logLevel, uris } = readKept(kept);
    this.logLevel = logLevel;
    for (const uri of uris) this.#subscribe(uri);
    this.subscriptions.allChanged();
  }

  #subscribe(uri: string): void {
    try {
      this.subscriptions.add({ uri });
    } catch (error) {
      // There may be no such resource any more, or room for fewer.
      if (!(error instanceof McpError || error instanceof HubError)) throw error;
    }
  }
}

/** Someone may have changed the file by hand: what cannot be read is as if it had not been kept. */
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

/** What a session keeps of what its client said with `initialize`. */
export interface SessionClient {
  /** The revision agreed on. */
  readonly version: string;
  /** What the client calls itself, as a sender. */
  readonly sender: string | undefined;
  /** What the client can be asked. */
  readonly capabilities: JsonObject;
}

/** The parts of these capabilities that tell what a client can be asked; the others mean nothing here. */
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
