// Gives senders colours that distinguish them at a glance.

/** So many that names seldom share one, so few that two can be told apart. */
const HUES = 18;

/** A hue in degrees, always the same for a name. */
export function hueOf(name: string): number {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) >>> 0;
  // Its lower bits hardly differ between names that do.
  return ((Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 16) % HUES) * (360 / HUES);
}

/** What turns letters around or is invisible, but for what words and emoji are joined and drawn with. */
const HIDDEN = /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}\u2800]/gu;

/** A name as it reads, with a sign for each character that no one would see: else one name could look like another. */
export function readable(name: string): string {
  return name.replace(HIDDEN, "\ufffd");
}

/** A name without characters that no one would see. */
export function plainName(name: string): string {
  return name.replace(HIDDEN, "").trim();
}

/** The letter that stands for a name. */
export function initialOf(name: string): string {
  return (/[\p{L}\p{N}]|\p{Extended_Pictographic}/u.exec(name)?.[0] ?? "?").toUpperCase();
}
