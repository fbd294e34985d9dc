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

/** The letter that stands for a name. */
export function initialOf(name: string): string {
  return (/[\p{L}\p{N}]|\p{Extended_Pictographic}/u.exec(name)?.[0] ?? "?").toUpperCase();
}
