import { channelName } from "../core/channel.ts";
import { EVERYTHING, type ChannelPattern } from "../protocol/channel.ts";
import { HubError } from "../core/errors.ts";
import { checkSubscribe, readable } from "../core/principal.ts";
import { channelSummary, marked, messageObject, readableChannels } from "../tools/index.ts";
import type { Catalog, ResourceDefinition, TemplateDefinition, ResourceResult } from "./definitions.ts";
import { beginning, invalidParams, McpError, shown } from "./errors.ts";
import type { McpRequestContext } from "./request-context.ts";

const CHANNELS = "hub://channels";
const MAX_CHANNELS = 1000;
/** Messages in the resource of a channel. */
const RECENT = 50;
const MAX_URI = 1024;
const MAX_SHOWN = 200;

/** The list of channels as a resource. */
export const channelsResource: ResourceDefinition = {
  listing: {
    uri: CHANNELS,
    name: "channels",
    title: "Channels",
    description: "Every channel with its readers, messages kept and last message",
    mimeType: "application/json",
  },
  watches: [EVERYTHING],
  authorize() {},
  async read(call) {
    const found = readableChannels(call, { pattern: EVERYTHING, limit: MAX_CHANNELS + 1 });
    const channels = found.slice(0, MAX_CHANNELS).map((listing) => channelSummary(listing, call.hub));
    return json(CHANNELS, { channels, more: found.length > MAX_CHANNELS });
  },
};

/** Each channel as a resource: its last messages, oldest first, and the cursor to continue from. */
export const channelTemplate: TemplateDefinition = {
  listing: {
    uriTemplate: `${CHANNELS}/{channel}`,
    name: "channel",
    title: "Channel",
    description: `The last ${RECENT} messages of a channel, newest last, and the cursor to go on from`,
    mimeType: "application/json",
  },
  resource(uri) {
    if (!uri.startsWith(`${CHANNELS}/`)) return undefined;
    const channel = channelName(uri.slice(CHANNELS.length + 1));
    return {
      watches: [channel],
      authorize: (principal) => checkSubscribe(principal, [channel]),
      async read({ hub, principal }) {
        const { messages, next, earlier } = await hub.kept.recent({ channels: [channel], limit: RECENT });
        const objects = messages.map((message) => marked(messageObject(message, hub.idOf(message)), principal));
        return json(uri, { channel, messages: objects, next, earlier: earlier ?? null });
      },
    };
  },
  list(after, limit, { hub, principal }) {
    // Channels that only have readers are left out: no notification is sent when readers come and go.
    const found = readable(principal, EVERYTHING).flatMap((pattern) =>
      hub.log.channels({ pattern, limit, ...(after === undefined ? {} : { after }) }),
    );
    return found.slice(0, limit).map(({ channel, kept }) => ({
      uri: `${CHANNELS}/${channel}`,
      name: channel,
      title: `Channel ${channel}`,
      description: `${kept} ${kept === 1 ? "message" : "messages"} kept`,
      mimeType: "application/json",
    }));
  },
};

/** The normalized form of a `hub:` URI, which has other spellings, too (RFC 3986, section 6.2.2). */
export function canonicalUri(uri: string): string {
  if (uri.length > MAX_URI) return uri;
  const [, kind = "", path = ""] = /^hub:\/\/(channels|questions)(?:\/(.+))?$/is.exec(uri.replace(/\/$/, "")) ?? [];
  if (kind === "") return uri;
  const all = `hub://${kind.toLowerCase()}`;
  try {
    return path === "" ? all : `${all}/${decodeURIComponent(path)}`;
  } catch {
    return uri;
  }
}

/** The resource of a URI. Throws if it does not exist. */
export function findResource(catalog: Catalog, uri: string): Omit<ResourceDefinition, "listing"> {
  const canonical = canonicalUri(uri);
  const fixed = [...catalog.resources, ...(catalog.apps?.resources ?? [])].find(
    ({ listing }) => listing.uri === uri || listing.uri === canonical,
  );
  if (fixed !== undefined) return fixed;
  if (uri.length <= MAX_URI) {
    try {
      for (const template of catalog.templates) {
        const found = template.resource(canonical);
        if (found !== undefined) return found;
      }
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      throw notFound(uri, error.message);
    }
  }
  const known = catalog.templates.map(({ listing }) => listing.uriTemplate);
  throw resourceNotFound(uri, [...catalog.resources.map(({ listing }) => listing.uri), ...known]);
}

/** The error for an unknown URI: `-32602` in both eras, since the SDK maps the older `-32002` to it. */
export function resourceNotFound(uri: string, known: readonly string[]): McpError {
  return notFound(uri, `${shown(uri)}; there are ${known.slice(0, 10).join(", ")}`);
}

/** The same for a URI of the right form. */
export function notFound(uri: string, why: string): McpError {
  return invalidParams(`Resource not found: ${why}`, { uri: beginning(uri, MAX_SHOWN) });
}

/** A resource that is one JSON text. */
export function json(uri: string, value: unknown): ResourceResult {
  return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(value) }] };
}

/** What changes a resource. */
export interface Watched {
  /** Messages on these channels, if its subscriber may read them. */
  readonly channels: readonly ChannelPattern[];
  /** Calls back when it changes otherwise. */
  readonly follow?: ((changed: () => void) => () => void) | undefined;
}

/**
 * What changes a resource; undefined if clients cannot subscribe to it, or it does not exist. Throws `UNAUTHENTICATED`
 * or `FORBIDDEN` if this one may not.
 */
export function watched(
  catalog: Catalog,
  uri: string,
  caller: Pick<McpRequestContext, "principal" | "questions">,
): Watched | undefined {
  const { principal } = caller;
  let resource: Omit<ResourceDefinition, "listing">;
  try {
    resource = findResource(catalog, uri);
  } catch (error) {
    if (error instanceof McpError) return undefined;
    throw error;
  }
  resource.authorize?.(principal);
  const { watches, follow } = resource;
  if ((watches ?? follow) === undefined || resource.exists?.(caller) === false) return undefined;
  return {
    channels: watches?.flatMap((pattern) => readable(principal, pattern)) ?? [],
    follow: follow && ((changed) => follow(changed, caller)),
  };
}
