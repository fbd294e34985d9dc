import { registerHooks } from "node:module";

const SOURCES: Readonly<Record<string, string>> = {
  "sse-mcp-server": new URL("../../src/index.ts", import.meta.url).href,
  "sse-mcp-server/client": new URL("../../src/client/index.ts", import.meta.url).href,
  "sse-mcp-server-client": new URL("../../src/client/index.ts", import.meta.url).href,
};

// Scripts name the package as those who installed it do; here it is not built.
registerHooks({
  resolve: (specifier, context, next) => next(SOURCES[specifier] ?? specifier, context),
});
