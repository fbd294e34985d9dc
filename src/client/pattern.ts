import { covers as coversChannels, isName, type ChannelPattern } from "../protocol/channel.ts";
import { finalError } from "./errors.ts";

/** Throws `INVALID_CHANNEL` for what cannot be a channel; which channels may be published to, the server decides. */
export function checkChannel(given: string): void {
  if (isName(given)) return;
  const sentence = `Not a channel: ${JSON.stringify(given)}; use words joined by dots, of letters A–Z, digits, - and _, such as orders.eu`;
  throw finalError("INVALID_CHANNEL", sentence);
}

/** Channels and patterns as they were given, each once. Throws `INVALID_PATTERN`. */
export function checkedPatterns(given: string | readonly string[]): readonly string[] {
  const patterns = [...new Set(typeof given === "string" ? [given] : given)];
  const wrong = patterns.find((pattern) => pattern !== "*" && !isName(pattern.replace(/\.\*$/, "")));
  if (patterns.length > 0 && wrong === undefined) return patterns;
  const shown = wrong === undefined ? "No channel is named" : `Not a channel or pattern: ${JSON.stringify(wrong)}`;
  throw finalError("INVALID_PATTERN", `${shown}; use orders.eu, orders.* or *`);
}

/** Whether a pattern covers a channel, or every channel that another pattern covers. */
export function covers(pattern: string, inner: string): boolean {
  return coversChannels(pattern as ChannelPattern, inner as ChannelPattern);
}

/** Whether some patterns together cover every one of others. */
export function coverAll(patterns: readonly string[], inner: readonly string[]): boolean {
  return inner.every((one) => patterns.some((pattern) => covers(pattern, one)));
}
