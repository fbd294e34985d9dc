// How messages are read together: by sender, by day, and when.
import type { Message } from "../../client/index.ts";

/** Milliseconds between messages of one sender that are read as one. */
const TOGETHER = 5 * 60_000;
/** Events of messages that are nothing but a text. */
const PLAIN = new Set(["message", "reply"]);
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** Whether a message begins a day, and says who sends it; `above` is undefined if no message is above it. */
export function placeOf(
  message: Message,
  above: Message | undefined,
): { readonly beginsDay: boolean; readonly hasHead: boolean } {
  if (above === undefined) return { beginsDay: true, hasHead: true };
  const [time, before] = [new Date(message.time), new Date(above.time)];
  const beginsDay = !isSameDay(time, before);
  const isApart = time.getTime() - before.getTime() > TOGETHER;
  const isOther =
    message.sender !== above.sender ||
    message.via !== above.via ||
    message.verified !== above.verified ||
    message.event !== above.event;
  return { beginsDay, hasHead: beginsDay || isApart || isOther || !PLAIN.has(message.event) };
}

/** A day, seen from another. */
export function dayName(day: Date, today: Date): string {
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (isSameDay(day, today)) return "Today";
  if (isSameDay(day, yesterday)) return "Yesterday";
  return (day.getFullYear() === today.getFullYear() ? DAY : DAY_AND_YEAR).format(day);
}

export function isSameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString();
}
