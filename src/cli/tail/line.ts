import type { Message } from "../../client/index.ts";
import { oneLine, oneLineData, oneLineName } from "../../protocol/text.ts";
import type { Wake } from "./wakes.ts";

/** The least that a line may be cut to: what says how to read the rest must fit. */
export const LEAST_LINE = 300;
const MARK = "… (cut)";

/** A message as a line for people; `most` is in characters. */
export function textLine({ time, channel, sender, event, data }: Message, most: number): string {
  const named = event === "message" ? "" : ` [${oneLineName(event)}]`;
  const line = `${oneLine(time)} ${oneLineName(channel)}${named} ${oneLineName(sender)}: ${oneLineData(data)}`;
  return line.length <= most ? line : `${line.slice(0, most - MARK.length).toWellFormed()}${MARK}`;
}

/** A message, or what woke a reader that takes several as one, as a line of JSON; what is too long is cut from its data. */
export function jsonLine(wake: Wake, most: number = Infinity): string {
  const line = oneLineData(objectOf(wake, wake.newest));
  if (line.length <= most) return line;
  const { newest } = wake;
  const text = typeof newest.data === "string" ? newest.data : JSON.stringify(newest.data);
  const cut = (length: number): string => {
    const missing = `${text.length - length} of ${text.length} characters left out`;
    return oneLineData(objectOf(wake, { ...newest, data: text.slice(0, length).toWellFormed() }, missing));
  };
  let [fits, exceeds] = [0, Math.min(text.length, most) + 1];
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if (cut(middle).length <= most) fits = middle;
    else exceeds = middle;
  }
  const shortest = cut(fits);
  if (shortest.length <= most) return shortest;
  // Long names leave no room for a text.
  const { id, channel } = newest;
  return JSON.stringify({ id, channel, cut: "everything else left out" });
}

function objectOf({ count, after, next }: Wake, newest: Message, cut?: string): object {
  const marked = cut === undefined ? newest : { ...newest, cut };
  if (count === undefined) return { ...marked };
  return { count, ...(after === undefined ? {} : { after }), next, newest: marked };
}
