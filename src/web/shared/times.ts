const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** The time of day. */
export function clock(time: Date): string {
  return CLOCK.format(time);
}

export function fullTime(time: Date): string {
  return FULL.format(time);
}
