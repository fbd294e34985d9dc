import hooks from "node:async_hooks";
import { enableCompileCache } from "node:module";
import { join } from "node:path";

// What a file compiles to is kept for the next process that loads it: tests start hundreds of them.
const folder = join(import.meta.dirname, "../../.cache/compile");
enableCompileCache(folder);
process.env["NODE_COMPILE_CACHE"] = folder;

// The test runner follows every promise to know which test a stray error belongs to, which costs a tenth of the time.
// With this, an error that no test awaits fails the file; `node --test` with the file alone says which test it was.
const { createHook } = hooks;
hooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false });

/** Milliseconds after the last test of a file. */
const MOST_REST = 20_000;
// The test runner waits for as long as a file keeps something open, such as a timer of a test that failed.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  const { after } = await import("node:test");
  after(() => {
    setTimeout(() => {
      console.error(`still open ${MOST_REST / 1000} s after the last test:`, process.getActiveResourcesInfo());
      process.exit(1);
    }, MOST_REST).unref();
  });
}
