/** Numbers of the last moments: a column of each in one typed array, the newest at the end. */
export class StatsRing {
  readonly capacity: number;
  readonly #columns: readonly Float64Array[];
  /** Where the oldest moment lies; there is room for as many again, so that they need moving only now and then. */
  #start = 0;
  #end = 0;

  constructor(columns: number, capacity: number) {
    this.capacity = capacity;
    this.#columns = Array.from({ length: columns }, () => new Float64Array(capacity * 2));
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds a moment, one number for each column, and drops the oldest where there are too many. */
  push(values: readonly number[]): void {
    if (this.#end === this.capacity * 2) {
      for (const column of this.#columns) column.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    for (const [index, column] of this.#columns.entries()) column[this.#end] = values[index] ?? NaN;
    this.#end++;
    if (this.length > this.capacity) this.#start++;
  }

  /** A column, oldest first: a view that the next `push` may change. */
  column(index: number): Float64Array {
    return this.#columns[index]?.subarray(this.#start, this.#end) ?? new Float64Array();
  }

  /** The newest number of a column; NaN where there is none. */
  last(index: number): number {
    return this.column(index).at(-1) ?? NaN;
  }
}
