import { enableCompileCache } from "node:module";
import { join } from "node:path";

// What a file compiles to is kept for the next process that loads it: tests start hundreds of them.
const folder = join(import.meta.dirname, "../../.cache/compile");
enableCompileCache(folder);
process.env["NODE_COMPILE_CACHE"] = folder;
