/** What kind of participant it is: a browser's reader, a client of MCP, or anything else that reads. */
export type ParticipantKind = "person" | "agent" | "service";

/** What a call waits for: messages of some channels, or the answer to a question. */
export type Waiting =
  | { readonly for: "messages"; readonly channels: readonly string[] }
  | { readonly for: "answer"; readonly channel: string; readonly question: string };

/** Someone who is connected now, or called a moment ago. */
export interface Participant {
  /** Null if it gave none. */
  readonly name: string | null;
  readonly kind: ParticipantKind;
  /** Whether `name` is the name of its credential, and not only what it calls itself. */
  readonly verified: boolean;
  /** `idle`: an agent that has nothing open and called within the last minute. */
  readonly state: "connected" | "idle" | "waiting";
  /** When its state began, in ISO 8601; for an idle agent, when it called last. */
  readonly since: string;
  /** Null unless its state is `waiting`. */
  readonly waiting: Waiting | null;
  /** What it reads, as channels and patterns; for an idle agent, what it read last. */
  readonly channels: readonly string[];
  /** How many of these are left out. */
  readonly moreChannels: number;
  /** Ids of the nodes that it is connected to. */
  readonly nodes: readonly string[];
}

/** The answer of `GET /participants` and `list_participants`. */
export interface ParticipantList {
  readonly participants: readonly Participant[];
  /** How many there are, also of those that are left out here. */
  readonly total: number;
  /** Whether some are left out. */
  readonly more: boolean;
}

const READER = /^[\w-]{1,64}$/;

/** Whether this can be the id by which a reader's connections and announcements are known to be of one reader. */
export function isReaderId(text: unknown): text is string {
  return typeof text === "string" && READER.test(text);
}
