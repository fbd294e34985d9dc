export type { Outlet } from "./call.ts";
export { eraOf } from "./era.ts";
export { hubOffer } from "./hub-offer.ts";
export { answerModern, type McpContext } from "./modern.ts";
export { Changes, type Extras } from "./offer.ts";
export { asMcpError, LEGACY_VERSIONS, MODERN_VERSIONS } from "./protocol.ts";
export { RequestStates } from "./request-state.ts";
export { Sessions } from "./sessions.ts";
export { Streamable, type Answer } from "./streamable.ts";
