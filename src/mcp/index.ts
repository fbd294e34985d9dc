export { hubCatalog, type McpContext } from "./catalog.ts";
export { accepts, eraOf, idProblem, kindOf } from "./classify.ts";
export { Changes, type Extras } from "./definitions.ts";
export { dropEmptyFields } from "./empty-fields.ts";
export {
  asMcpError,
  CODES,
  isObject,
  LEGACY_VERSIONS,
  McpError,
  MODERN_VERSIONS,
  shown,
  type JsonObject,
} from "./errors.ts";
export { OWN_STREAM } from "./legacy/event-ring.ts";
export { clientOf } from "./legacy/session-state.ts";
export { SessionStore, type SessionOwner } from "./legacy/session-store.ts";
export type { SessionConnection } from "./legacy/session-stream.ts";
export type { LegacySession } from "./legacy/session.ts";
export { checkedPost, checkInitialize, idsOf, NO_SESSION, Refusal, REFUSED } from "./legacy/validate.ts";
export { answerModern, type ModernPost } from "./modern/handler.ts";
export type { NotificationStream } from "./request-context.ts";
export { RequestStates } from "./request-state.ts";
export { Sealer } from "./seal.ts";
