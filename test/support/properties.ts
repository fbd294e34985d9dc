import { configureGlobal } from "fast-check";

export * from "fast-check";

/** Milliseconds that a property may take, with the search for a shorter counterexample. */
const LONGEST = 120_000;

// Without this, a failure is followed by minutes of shrinking, and a run that never ends holds up everything after it.
// On CI the first counterexample is enough, with the seed and the path that repeat it: shrink it where it is mended.
configureGlobal({
  interruptAfterTimeLimit: LONGEST,
  markInterruptAsFailure: true,
  endOnFailure: process.env["CI"] === "true",
});
