import { z } from "zod";
import { EVERYTHING, type ChannelPattern } from "../protocol/channel.ts";
import { HubError } from "../core/errors.ts";
import { lenient, problems } from "../tools/index.ts";
import type { RequestContext, NotificationStream } from "./request-context.ts";
import type { Catalog } from "./definitions.ts";
import { CODES, invalidParams, isObject, McpError, META, type JsonObject } from "./errors.ts";
import { watched } from "./resources.ts";
import { ChangeNotifier } from "./change-notifier.ts";

/** Stands among the URIs for the list of resources, as such names do for the other lists. */
const RESOURCE_LIST = "resources/list_changed";

const FILTER = z.looseObject({
  toolsListChanged: z.boolean().default(false),
  promptsListChanged: z.boolean().default(false),
  resourcesListChanged: z.boolean().default(false),
  resourceSubscriptions: z.array(z.string()).default([]),
});

/** What a listener asked for, and what of it it can have. */
interface Filter {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  readonly uris: readonly string[];
}

/**
 * `subscriptions/listen`: stays open and tells what changes (2026-07-28, "Subscriptions"). Resolves when the server
 * ends it; a caller that goes away ends it by `call.signal`.
 */
export async function listen(params: JsonObject, call: RequestContext, catalog: Catalog): Promise<JsonObject> {
  const asked = filterOf(params, call.limits.channels);
  const watches = watchedBy(asked, catalog);
  const granted: Filter = {
    tools: asked.tools && catalog.changes !== undefined,
    prompts: asked.prompts && catalog.changes !== undefined,
    resources: asked.resources,
    uris: [...watches.keys()].filter((uri) => uri !== RESOURCE_LIST),
  };
  const outlet = call.openDedicated?.();
  if (outlet === undefined)
    throw new McpError(CODES.methodNotFound, "subscriptions/listen needs a stream", { status: 404 });
  const id = JSON.stringify(call.id);
  outlet.write(notification(id, "subscriptions/acknowledged", `,"notifications":${JSON.stringify(honoured(granted))}`));
  const ended = await follow(watches, granted, call, catalog, outlet, id);
  if (ended === "slow") outlet.cut();
  // Whoever reads the end of the stream reads that it was meant (2026-07-28, "Graceful Closure").
  return { _meta: { [META.subscriptionId]: call.id } };
}

/** Resolves with the reason when it is over. */
async function follow(
  watches: Watched,
  granted: Filter,
  { hub, signal }: RequestContext,
  catalog: Catalog,
  outlet: NotificationStream,
  id: string,
): Promise<string> {
  let channelsKnown = hub.log.size().channelsCreated;
  const isListNew = (): boolean => {
    const before = channelsKnown;
    channelsKnown = hub.log.size().channelsCreated;
    return channelsKnown !== before;
  };
  const news = new Map(
    granted.uris.map((uri) => [uri, notification(id, "resources/updated", `,"uri":${JSON.stringify(uri)}`)]),
  );
  const { promise: over, resolve: end } = Promise.withResolvers<string>();
  const updates = new ChangeNotifier({
    get pending() {
      return outlet.pending;
    },
    get isLagging() {
      return outlet.isLagging;
    },
    changed(names) {
      for (const name of names) {
        if (name !== RESOURCE_LIST || isListNew()) outlet.write(news.get(name) ?? notification(id, name));
      }
    },
    keepAlive: () => outlet.keepAlive(),
    drained: () => outlet.drained(),
    ended: end,
  });
  for (const [name, patterns] of watches) updates.watch(name, patterns);
  const gone = (): void => end("gone");
  signal.addEventListener("abort", gone);
  if (signal.aborted) gone();
  const subscription = hub.subscribe({ channels: updates.channels }, updates);
  const unfollow = catalog.changes?.follow((list) => {
    if (granted[list]) updates.touch(`${list}/list_changed`);
  });
  try {
    return await over;
  } finally {
    hub.unsubscribe(subscription);
    unfollow?.();
    signal.removeEventListener("abort", gone);
  }
}

function filterOf({ notifications }: JsonObject, most: number): Filter {
  if (!isObject(notifications)) {
    throw invalidParams(
      'notifications must be an object such as {"resourceSubscriptions": ["hub://channels/default"]}',
    );
  }
  const meant = lenient(FILTER, notifications);
  const { success, data, error } = FILTER.safeParse(meant);
  if (!success) throw invalidParams(`notifications: ${problems(error, meant, [])}`);
  const { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions } = data;
  const { length } = resourceSubscriptions;
  if (length > most) {
    throw new HubError("TOO_MANY_CHANNELS", `resourceSubscriptions names ${length} URIs; at most ${most} are allowed`);
  }
  return {
    tools: toolsListChanged,
    prompts: promptsListChanged,
    resources: resourcesListChanged,
    uris: resourceSubscriptions,
  };
}

type Watched = ReadonlyMap<string, readonly ChannelPattern[]>;

/** The resources among the URIs that can be watched; others are left out of what is acknowledged. */
function watchedBy({ uris, resources }: Filter, catalog: Catalog): Watched {
  const watches = new Map<string, readonly ChannelPattern[]>();
  for (const uri of uris) {
    const patterns = watched(catalog, uri);
    if (patterns !== undefined) watches.set(uri, patterns);
  }
  if (resources) watches.set(RESOURCE_LIST, [EVERYTHING]);
  return watches;
}

function honoured({ tools, prompts, resources, uris }: Filter): JsonObject {
  return {
    ...(tools ? { toolsListChanged: true } : {}),
    ...(prompts ? { promptsListChanged: true } : {}),
    ...(resources ? { resourcesListChanged: true } : {}),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
  };
}

/** A notification of this subscription as text: made once, sent often. */
function notification(id: string, name: string, params = ""): string {
  return `{"jsonrpc":"2.0","method":"notifications/${name}","params":{"_meta":{"${META.subscriptionId}":${id}}${params}}}`;
}
