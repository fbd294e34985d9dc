import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that this process holds on to: objects, and buffers outside of the heap; garbage is collected first. */
export async function memoryHeld(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    // What is let go of in callbacks is garbage a turn later.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
