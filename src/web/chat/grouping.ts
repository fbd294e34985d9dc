import type { Message } from "../../client/index.ts";
import { isSameDay } from "./times.ts";

/** Milliseconds between messages of one sender that are read as one. */
const TOGETHER = 5 * 60_000;

/** How a message stands to the one above it. */
export interface Place {
  /** The day changes with it. */
  readonly beginsDay: boolean;
  /** It says who sends it. */
  readonly hasHead: boolean;
}

/** Where a message stands; `above` is undefined where something else than a message is above it. */
export function placeOf(message: Message, above: Message | undefined): Place {
  if (above === undefined) return { beginsDay: true, hasHead: true };
  const [time, before] = [new Date(message.time), new Date(above.time)];
  const beginsDay = !isSameDay(time, before);
  const isApart = time.getTime() - before.getTime() > TOGETHER;
  const isOther = message.sender !== above.sender || message.via !== above.via || message.event !== above.event;
  return { beginsDay, hasHead: beginsDay || isApart || isOther || message.event !== "message" };
}
