import { HubError } from "../core/errors.ts";
import { quoted } from "../protocol/text.ts";
import { askPerson, awaitAnswer } from "./ask-person.ts";
import { getServerInfo } from "./get-server-info.ts";
import { listChannels } from "./list-channels.ts";
import { listParticipants } from "./list-participants.ts";
import { readMessages } from "./read-messages.ts";
import { sendSseMessage } from "./send-sse-message.ts";
import { listing, ToolError, type Tool, type ToolListing } from "./tool.ts";
import { waitForMessages } from "./wait-for-messages.ts";

const MAX_SHOWN = 64;

/** The hub's own tools, in the order they are listed. */
const HUB_TOOLS: readonly Tool[] = [
  getServerInfo,
  sendSseMessage,
  listChannels,
  readMessages,
  waitForMessages,
  askPerson,
  awaitAnswer,
  listParticipants,
];

/** The tools of a server, for every door: the hub's own, then those that were added. */
export class ToolSet {
  readonly all: readonly { readonly tool: Tool; readonly listing: ToolListing }[];
  /** The tools as `tools/list` lists them. */
  readonly listings: readonly ToolListing[];
  readonly #byName: ReadonlyMap<string, Tool>;

  /** Throws a `ToolError` if two tools have the same name. */
  constructor(added: readonly Tool[] = []) {
    const tools = [...HUB_TOOLS, ...added];
    this.all = tools.map((tool) => ({ tool, listing: listing(tool) }));
    this.listings = this.all.map((one) => one.listing);
    this.#byName = new Map(tools.map((tool) => [tool.name, tool]));
    const twice = tools.find(({ name }, index) => tools.findIndex((tool) => tool.name === name) < index);
    if (twice !== undefined) throw new ToolError(`There are two tools named ${twice.name}; give each its own name`);
  }

  /** Throws `UNKNOWN_TOOL`. */
  named(name: string): Tool {
    const tool = this.#byName.get(name);
    if (tool === undefined) throw unknownTool(name, [...this.#byName.keys()]);
    return tool;
  }
}

/** The error for an unknown tool, which lists the tools there are. */
export function unknownTool(name: string, known: readonly string[]): HubError {
  const shown = quoted(name.slice(0, MAX_SHOWN).toWellFormed());
  return new HubError("UNKNOWN_TOOL", `Unknown tool: ${shown}; there are ${known.join(", ")}`);
}
