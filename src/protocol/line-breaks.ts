const BREAKS = /[\u0085\u2028\u2029]/;
const ALL_BREAKS = /[\u0085\u2028\u2029]/g;

/**
 * JSON that no reader of lines takes for several: what JSON leaves as it is, and Python among others calls the end of a
 * line, is escaped.
 */
export function escapeLineBreaks(json: string): string {
  return BREAKS.test(json) ? json.replace(ALL_BREAKS, escaped) : json;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
