import { HubClientError } from "./errors.ts";

const CHANNEL = /^[\w-]+(?:\.[\w-]+)*$/;
const PATTERN = /^(?:\*|[\w-]+(?:\.[\w-]+)*(?:\.\*)?)$/;

/** Throws `INVALID_CHANNEL`. What else a channel may not be, the server knows. */
export function checkChannel(given: string): void {
  if (CHANNEL.test(given)) return;
  const sentence = `Not a channel: ${JSON.stringify(given)}; use words joined by dots, of letters A–Z, digits, - and _, such as orders.eu`;
  throw new HubClientError("INVALID_CHANNEL", sentence, { final: true });
}

/** Channels and patterns as they were given, each once. Throws `INVALID_PATTERN`. */
export function checkedPatterns(given: string | readonly string[]): readonly string[] {
  const patterns = [...new Set(typeof given === "string" ? [given] : given)];
  const wrong = patterns.find((pattern) => !PATTERN.test(pattern));
  if (patterns.length > 0 && wrong === undefined) return patterns;
  const shown = wrong === undefined ? "No channel is named" : `Not a channel or pattern: ${JSON.stringify(wrong)}`;
  throw new HubClientError("INVALID_PATTERN", `${shown}; use orders.eu, orders.* or *`, { final: true });
}

/** Whether a pattern covers a channel, or every channel that another pattern covers. */
export function covers(pattern: string, inner: string): boolean {
  if (pattern === inner) return true;
  // What the server itself says, under hub, is covered by its exact name only.
  if (pattern === "*") return inner !== "hub" && !inner.startsWith("hub.");
  return pattern.endsWith(".*") && inner.startsWith(pattern.slice(0, -1));
}

/** Whether some patterns together cover every one of others. */
export function coverAll(patterns: readonly string[], inner: readonly string[]): boolean {
  return inner.every((one) => patterns.some((pattern) => covers(pattern, one)));
}

/** All patterns in order, without those that another of them covers. */
export function unionOf(all: Iterable<readonly string[]>): readonly string[] {
  const patterns = [...new Set([...all].flat())].sort();
  return patterns.filter((one) => !patterns.some((other) => other !== one && covers(other, one)));
}
