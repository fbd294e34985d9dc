/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median of the ratios of values measured in the same rounds. */
export function medianRatio(values: readonly number[], to: readonly number[]): number {
  const rounds = Math.min(values.length, to.length);
  return median(
    Array.from({ length: rounds }, (_, round) => (values[round] ?? Number.NaN) / (to[round] ?? Number.NaN)),
  );
}
