import { getServerInfo } from "./get-server-info.ts";
import { listChannels } from "./list-channels.ts";
import { readMessages } from "./read-messages.ts";
import { sendSseMessage } from "./send-sse-message.ts";
import { listing, type Tool, type ToolListing } from "./tool.ts";
import { waitForMessages } from "./wait-for-messages.ts";

/** Every tool, in the order it is listed; each door offers these. */
export const tools: readonly Tool[] = [getServerInfo, sendSseMessage, listChannels, readMessages, waitForMessages];

/** The tools as `tools/list` tells of them. */
export const toolListings: readonly ToolListing[] = tools.map(listing);

export { callTool, toolNamed, unknownTool } from "./call.ts";
export { channelSummary } from "./channel-summary.ts";
export { lenient } from "./lenient.ts";
export { publish } from "./publish.ts";
export { problems } from "./validation-message.ts";
export { messageObject, messagePage, type MessagePage } from "./results.ts";
export type { ServerInfo } from "../protocol/server-info.ts";
export type { ToolContext, ToolListing } from "./tool.ts";
