import { registerHooks } from "node:module";

const CLIENT = new URL("../../src/client/index.ts", import.meta.url).href;

// Scripts name the library as those who installed it do; here it is not built.
registerHooks({
  resolve: (specifier, context, next) => next(specifier === "sse-mcp-server/client" ? CLIENT : specifier, context),
});
