import { z } from "zod";
import { visibleTo } from "../core/attendance.ts";
import { channelPattern } from "../core/channel.ts";
import { checkAnyGrant, checkSubscribe } from "../core/principal.ts";
import type { Participant, ParticipantList } from "../protocol/participant.ts";
import { oneLineName } from "../protocol/text.ts";
import { list, object, TRUTH } from "./json-schema.ts";
import { tool, type RequestContext, type Tool } from "./tool.ts";

const MAX_LISTED = 100;

export const listParticipants: Tool = tool({
  name: "list_participants",
  title: "List participants",
  description: "List the people, agents and services here",
  input: z.strictObject({ channel: z.string().optional().describe("Only its readers") }),
  output: object({
    participants: list(object({ name: {}, kind: {}, verified: {}, state: {}, since: {}, waiting: {}, channels: {} })),
    more: TRUTH,
  }),
  readOnly: true,
  authorize: ({ channel }, principal) => {
    if (channel === undefined) checkAnyGrant(principal, "read", "list participants");
    else checkSubscribe(principal, [channelPattern(channel)]);
  },
  async run({ channel }, context) {
    const { participants, more } = participantsFor({ channel, limit: MAX_LISTED }, context);
    const lines = participants.map(line);
    if (more) lines.push("… and more");
    const text = lines.length === 0 ? "No one is here" : lines.join("\n");
    return { text, structured: { participants: participants.map(essential), more } };
  },
});

/**
 * Who is here, as far as the caller may see it: who reads a channel, or all. Throws `INVALID_PATTERN`, and
 * `UNAUTHENTICATED` or `FORBIDDEN` for what the caller may not read.
 */
export function participantsFor(
  { channel, limit }: { readonly channel?: string | undefined; readonly limit: number },
  { principal, participants }: Pick<RequestContext, "principal" | "participants">,
): ParticipantList {
  const pattern = channel === undefined ? undefined : channelPattern(channel);
  if (pattern === undefined) checkAnyGrant(principal, "read", "list participants");
  else checkSubscribe(principal, [pattern]);
  const listed = visibleTo(principal, participants.all, { pattern, limit });
  return { ...listed, more: listed.more || participants.isCut };
}

/** What an agent needs of a participant. */
function essential({ name, kind, verified, state, since, waiting, channels }: Participant): object {
  return { name, kind, verified, state, since, waiting, channels };
}

function line({ name, kind, verified, state, since, waiting, channels, moreChannels }: Participant): string {
  const who = name === null ? `unnamed ${kind}` : `${oneLineName(name)} (${verified ? "verified " : ""}${kind})`;
  const reads = channels.join(", ") + (moreChannels > 0 ? ` and ${moreChannels} more` : "");
  const what =
    waiting === null
      ? state
      : waiting.for === "answer"
        ? `waiting for an answer on ${waiting.channel}`
        : `waiting for messages of ${waiting.channels.join(", ")}`;
  return `${who}: ${what} since ${since}${reads === "" ? "" : `, reads ${reads}`}`;
}
