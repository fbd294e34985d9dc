/** Levels of arrays and objects in the JSON that is taken: what reads it later may need stack for each. */
export const MAX_DEPTH = 128;

/** Whether a JSON value has more levels of arrays and objects. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
