import {
  isPresenceChannel,
  MAX_NAME,
  nameProblem,
  patternProblem,
  PRESENCE,
  type ChannelName,
  type ChannelPattern,
} from "../protocol/channel.ts";
import { HubError } from "./errors.ts";

/** Checks a channel name that came from outside; throws `INVALID_CHANNEL`, naming the rule it breaks. */
export function channelName(text: string): ChannelName {
  const problem = nameProblem(text);
  if (problem !== undefined) throw new HubError("INVALID_CHANNEL", `Not a channel: ${shown(text)}: ${problem}`);
  return text as ChannelName;
}

/**
 * Checks the name of a channel to publish on. Of the server's own channels, `hub.presence.{channel}` accepts only
 * ephemeral messages; throws `INVALID_MESSAGE` for others, and `INVALID_CHANNEL` as `channelName` does.
 */
export function channelToPublish(text: string, ephemeral: boolean | undefined): ChannelName {
  if (!isPresenceChannel(text)) return channelName(text);
  if (ephemeral === true) return text as ChannelName;
  throw new HubError("INVALID_MESSAGE", `${PRESENCE}* takes only ephemeral messages; set ephemeral to true`);
}

/** Checks a pattern that came from outside; throws `INVALID_PATTERN`, naming the rule it breaks. */
export function channelPattern(text: string): ChannelPattern {
  const problem = patternProblem(text);
  if (problem !== undefined)
    throw new HubError("INVALID_PATTERN", `Not a channel or pattern: ${shown(text)}: ${problem}`);
  return text as ChannelPattern;
}

/** The beginning of a text that a caller sent, quoted and escaped for an error sentence. */
export function shown(text: string): string {
  const some = text.length > MAX_NAME ? `${text.slice(0, 32)}…` : text;
  return JSON.stringify(some.replaceAll(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u007f-\u009f]/gu, "\ufffd"));
}
