export { configure, ConfigError, defaults, type Config, type Configured, type Source } from "./config.ts";
export { HubError, hubErrorCodes, type HubErrorCode } from "./core/errors.ts";
export { createServer, version, type Server, type ServerOptions } from "./server.ts";
export {
  defineTool,
  type PersonAnswer,
  type Tool,
  type ToolAnswer,
  type ToolCall,
  type ToolDefinition,
  ToolError,
  type ToolMessage,
} from "./tools/index.ts";
/** The schema library of the tools; a tool needs no copy of its own. */
export { z } from "zod";
