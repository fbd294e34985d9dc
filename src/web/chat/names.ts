// How senders are told apart at a glance.

/** So many that names seldom share one, so few that two are told apart. */
const HUES = 18;

/** A hue in degrees, always the same for a name. */
export function hueOf(name: string): number {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) >>> 0;
  // Its lower bits hardly differ between names that do.
  return ((Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 16) % HUES) * (360 / HUES);
}

/** What turns letters around, and everything behind it. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A name as it reads, with a sign where something would turn it around: else one name could look like another. */
export function readable(name: string): string {
  return name.replace(TURNS, "\ufffd");
}

/** A name without what would turn it around. */
export function plainName(name: string): string {
  return name.replace(TURNS, "").trim();
}

/** The letter that stands for a name. */
export function initialOf(name: string): string {
  return (/[\p{L}\p{N}]|\p{Extended_Pictographic}/u.exec(name)?.[0] ?? "?").toUpperCase();
}
