import { Hub, type ConnectOptions } from "./hub.ts";

export type { Headers } from "./http-client.ts";
export type { Message, Receipt, ScheduledReceipt } from "../protocol/message.ts";
export type { Gap } from "../protocol/signal.ts";
export { HubClientError, type HubClientErrorCode } from "./errors.ts";
export type { HubState } from "./transport.ts";
export type { ConnectOptions, Hub } from "./hub.ts";
export type { CallOptions, LaterOptions, PublishOptions, Tool, ToolResult } from "./requests.ts";
export type { SubscribeOptions, Subscription } from "./subscription.ts";

/**
 * A hub at this address; in a page, relative to it. Nothing is sent before something is asked for: the first
 * subscription opens the connection, and all of them share it. Throws `INVALID_URL`.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Hub {
  return new Hub(url, options);
}
