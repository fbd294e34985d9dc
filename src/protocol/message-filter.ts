/** Which messages a reader wants; what is left out wants all. */
export interface WantedMessages {
  /** Not those of these senders. */
  readonly exceptSender?: readonly string[] | undefined;
  /** Only those that mention one of these names: `@name` in one of their texts. */
  readonly mentions?: readonly string[] | undefined;
  /** Only those of these event types. */
  readonly events?: readonly string[] | undefined;
}

/** The part of a message that is looked at first. */
interface Labels {
  readonly sender: string;
  readonly event: string;
}

export type MessageFilter = (labels: Labels, data: () => unknown) => boolean;

/** Stands for the reader's own name in `exceptSender` and `mentions`. */
const ME = "me";

const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;

/** Whether a message is wanted; undefined if all are. `data` is called only if mentions are looked for. */
export function messageFilter(
  { exceptSender = [], mentions = [], events = [] }: WantedMessages,
  own?: string,
): MessageFilter | undefined {
  if (exceptSender.length + mentions.length + events.length === 0) return undefined;
  const nameOf = (name: string): string => (name === ME ? (own ?? name) : name);
  const senders = new Set(exceptSender.map(nameOf));
  const types = new Set(events);
  const mention = mentions.length === 0 ? undefined : mentionOf(mentions.map(nameOf));
  return ({ sender, event }, data) =>
    !senders.has(sender) &&
    (types.size === 0 || types.has(event)) &&
    (mention === undefined || mentionsIn(data(), mention));
}

/** `@name` that is not the end of an address nor the beginning of a longer name. */
function mentionOf(names: readonly string[]): RegExp {
  const any = names.map((name) => name.replace(/^@/, "").replaceAll(SPECIAL, String.raw`\$&`)).join("|");
  return new RegExp(String.raw`(?<![\p{L}\p{N}_])@(?:${any})(?![\p{L}\p{N}_]|[-.][\p{L}\p{N}_])`, "iu");
}

function mentionsIn(data: unknown, mention: RegExp): boolean {
  if (typeof data === "string") return mention.test(data);
  if (typeof data !== "object" || data === null) return false;
  return Object.values(data).some((value) => mentionsIn(value, mention));
}
