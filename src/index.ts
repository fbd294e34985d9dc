export { configure, ConfigError, defaults, type Config, type Configured, type Source } from "./config.ts";
export { HubError, hubErrorCodes, type HubErrorCode } from "./core/errors.ts";
export { createServer, version, type Server } from "./server.ts";
