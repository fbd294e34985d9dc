import { channelPattern, type ChannelPattern } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";

const DEFAULT = channelPattern("default");

/**
 * The channels that `?channel=` asks for, given more than once or separated by commas; `default` without it, none
 * where it is empty. Throws `INVALID_PATTERN` or `TOO_MANY_CHANNELS`.
 */
export function requestedChannels(query: URLSearchParams, most: number): readonly ChannelPattern[] {
  const given = query.getAll("channel");
  if (given.length === 0) return [DEFAULT];
  const words = given.flatMap((value) => (value === "" ? [] : value.split(",")));
  return checkedChannels(words, most);
}

/** Channels and patterns from outside, each once. Throws `INVALID_PATTERN` or `TOO_MANY_CHANNELS`. */
export function checkedChannels(words: readonly string[], most: number): readonly ChannelPattern[] {
  if (words.length > most) {
    throw new HubError("TOO_MANY_CHANNELS", `${words.length} channels are asked for; at most ${most} are allowed`);
  }
  return [...new Set(words.map(channelPattern))];
}

/** Whether `?watch=` asks to look on without counting as a reader. Throws `INVALID_INPUT` for what is neither. */
export function requestedWatch(query: URLSearchParams): boolean {
  const given = query.get("watch") ?? "";
  if (!["", "true", "false"].includes(given)) {
    throw new HubError("INVALID_INPUT", `watch is ${JSON.stringify(given.slice(0, 32))}; use true or false`);
  }
  return given === "true";
}

/** The query of a request's URL. */
export function queryOf(url: string): URLSearchParams {
  const start = url.indexOf("?");
  return new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
}
