import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { MAX_EVENT, MAX_SENDER, type Message } from "../core/message.ts";
import { messageFilter } from "../protocol/message-filter.ts";
import type { RequestContext } from "./tool.ts";

const MAX_NAMES = 100;
type Names = z.ZodOptional<z.ZodArray<z.ZodString>>;
const names: Names = z.array(z.string()).optional();

/** The fields of an input that say which messages are wanted. */
export const wantedFields: Readonly<Record<"exceptSender" | "mentions" | "events", Names>> = {
  exceptSender: names.describe("Leave out what these sent; `me`: yourself"),
  mentions: names.describe("Only what says @name"),
  events: names.describe("Only these event names"),
};

interface WantedInput {
  readonly exceptSender?: readonly string[] | undefined;
  readonly mentions?: readonly string[] | undefined;
  readonly events?: readonly string[] | undefined;
}

/** Whether a message is wanted; undefined if all are. Throws `INVALID_INPUT`, naming the field. */
export function wantedMessages(
  input: WantedInput,
  { principal, sender }: Pick<RequestContext, "principal" | "sender">,
): ((message: Message) => boolean) | undefined {
  for (const field of ["exceptSender", "mentions", "events"] as const) {
    const most = field === "events" ? MAX_EVENT : MAX_SENDER;
    checkNames(field, input[field] ?? [], most);
  }
  const own = principal.kind === "anonymous" ? (sender ?? principal.subject) : principal.subject;
  const filter = messageFilter(input, own);
  if (filter === undefined) return undefined;
  // Only a text with an @ in it can mention someone; the others are not parsed.
  return (message) =>
    filter(message, () => (message.data.includes("@") ? (JSON.parse(message.data) as unknown) : null));
}

function checkNames(field: string, given: readonly string[], most: number): void {
  if (given.length > MAX_NAMES)
    throw new HubError("INVALID_INPUT", `${field} has ${given.length} names; at most ${MAX_NAMES} are allowed`);
  if (given.some((name) => name === "" || name === "@" || name.length > most))
    throw new HubError("INVALID_INPUT", `${field} must hold names of 1 to ${most} characters`);
}
