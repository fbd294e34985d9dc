import { RateLimiterMemory } from "rate-limiter-flexible";

/** What is left to a caller. */
export interface Left {
  readonly points: number;
  /** Milliseconds until there are as many as at first. */
  readonly wait: number;
}

/** Counts what callers use of one thing: here in memory; a store that several nodes share can take its place. */
export interface Bucket {
  spend(key: string, points: number): Promise<Left>;
}

/** A bucket in the memory of this process. */
export class MemoryBucket implements Bucket {
  readonly #limiter: RateLimiterMemory;

  /** As many points for each key in each window of so many seconds, which begins when the first is spent. */
  constructor(points: number, seconds: number) {
    this.#limiter = new RateLimiterMemory({ points, duration: seconds });
  }

  async spend(key: string, points: number): Promise<Left> {
    const { remainingPoints, msBeforeNext } = await this.#limiter.penalty(key, points);
    return { points: remainingPoints, wait: msBeforeNext };
  }
}
