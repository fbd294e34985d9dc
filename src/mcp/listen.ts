import { z } from "zod";
import { identityOf } from "../core/attendance.ts";
import { EVERYTHING } from "../protocol/channel.ts";
import { readable } from "../core/principal.ts";
import { HubError } from "../core/errors.ts";
import { lenient, problems } from "../tools/index.ts";
import type { McpRequestContext, NotificationStream } from "./request-context.ts";
import type { Catalog } from "./definitions.ts";
import { CODES, invalidParams, isObject, McpError, META, type JsonObject } from "./errors.ts";
import { watched, type Watched } from "./resources.ts";
import { findTask } from "./tasks/methods.ts";
import { checkTakesTasks } from "./tasks/task.ts";
import { ChangeNotifier } from "./change-notifier.ts";

/** The name of the list of resources among the watched URIs; the other lists have such names, too. */
const RESOURCE_LIST = "resources/list_changed";

const FILTER = z.looseObject({
  toolsListChanged: z.boolean().default(false),
  promptsListChanged: z.boolean().default(false),
  resourcesListChanged: z.boolean().default(false),
  resourceSubscriptions: z.array(z.string()).default([]),
  taskIds: z.array(z.string()).default([]),
});

/** What a listener requests, or is granted. */
type Filter = Readonly<z.output<typeof FILTER>>;

/**
 * `subscriptions/listen`: stays open and sends change notifications (2026-07-28, "Subscriptions"). Resolves when the
 * server ends it; `call.signal` ends it if the caller disconnects.
 */
export async function listen(params: JsonObject, call: McpRequestContext, catalog: Catalog): Promise<JsonObject> {
  const asked = filterOf(params, call.limits.channels);
  const watches = watchedBy(asked, catalog, call);
  const mayChange = catalog.changes !== undefined;
  const granted: Filter = {
    toolsListChanged: asked.toolsListChanged && mayChange,
    promptsListChanged: asked.promptsListChanged && mayChange,
    resourcesListChanged: asked.resourcesListChanged,
    resourceSubscriptions: asked.resourceSubscriptions.filter((uri) => watches.has(uri)),
    taskIds: asked.taskIds.filter((taskId) => watches.has(taskName(taskId))),
  };
  const stream = call.openDedicated?.([...watches.values()].flatMap(({ channels }) => channels));
  if (stream === undefined)
    throw new McpError(CODES.methodNotFound, "subscriptions/listen needs a stream", { status: 404 });
  const id = JSON.stringify(call.id);
  stream.write(notification(id, "subscriptions/acknowledged", `,"notifications":${JSON.stringify(honoured(granted))}`));
  const ended = await follow(watches, granted, call, catalog, stream, id);
  if (ended === "slow") stream.cut();
  // A result at the end of the stream tells the client that this was intended (2026-07-28, "Graceful Closure").
  return { _meta: { [META.subscriptionId]: call.id } };
}

/** Resolves with the reason when the subscription ends. */
async function follow(
  watches: Watches,
  granted: Filter,
  call: McpRequestContext,
  catalog: Catalog,
  stream: NotificationStream,
  id: string,
): Promise<string> {
  const { hub, signal, participants, principal, sender } = call;
  let channelsKnown = hub.log.size().channelsCreated;
  const isListNew = (): boolean => {
    const before = channelsKnown;
    channelsKnown = hub.log.size().channelsCreated;
    return channelsKnown !== before;
  };
  const news = new Map(
    granted.resourceSubscriptions.map((uri) => [
      uri,
      notification(id, "resources/updated", `,"uri":${JSON.stringify(uri)}`),
    ]),
  );
  const tasks = new Map(granted.taskIds.map((taskId) => [taskName(taskId), taskId]));
  const tellTask = async (taskId: string): Promise<void> => {
    const task = await findTask(taskId, call, catalog);
    if (task !== undefined) stream.write(notification(id, "tasks", `,${JSON.stringify(task).slice(1, -1)}`));
  };
  const { promise: over, resolve: end } = Promise.withResolvers<string>();
  const updates = new ChangeNotifier({
    get pending() {
      return stream.pending;
    },
    get isLagging() {
      return stream.isLagging;
    },
    changed(names) {
      for (const name of names) {
        const taskId = tasks.get(name);
        // What cannot be read now is read when it changes again, or when the client asks for it.
        if (taskId !== undefined) void tellTask(taskId).catch(() => {});
        else if (name !== RESOURCE_LIST || isListNew()) stream.write(news.get(name) ?? notification(id, name));
      }
    },
    keepAlive: () => stream.keepAlive(),
    drained: () => stream.drained(),
    ended: end,
  });
  for (const [name, { channels, follow: watch }] of watches) updates.watch(name, channels, watch);
  const gone = (): void => end("gone");
  signal.addEventListener("abort", gone);
  if (signal.aborted) gone();
  const subscription = hub.subscribe({ channels: updates.channels }, updates);
  const read = [...watches].flatMap(([name, { channels }]) => (name === RESOURCE_LIST ? [] : channels));
  const depart = participants.attendee(identityOf(principal, "agent", sender), () => read).connect();
  const unfollow = catalog.changes?.follow((list) => {
    if (granted[`${list}ListChanged`]) updates.touch(`${list}/list_changed`);
  });
  try {
    return await over;
  } finally {
    depart(true);
    hub.unsubscribe(subscription);
    updates.unwatchAll();
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
  for (const [name, { length }] of Object.entries({
    resourceSubscriptions: data.resourceSubscriptions,
    taskIds: data.taskIds,
  })) {
    if (length > most) {
      throw new HubError("TOO_MANY_CHANNELS", `${name} has ${length} entries; at most ${most} are allowed`);
    }
  }
  return {
    ...data,
    resourceSubscriptions: [...new Set(data.resourceSubscriptions)],
    taskIds: [...new Set(data.taskIds)],
  };
}

type Watches = ReadonlyMap<string, Watched>;

/** The URIs and tasks that can be watched; others are left out of the acknowledgement. */
function watchedBy(
  { resourceSubscriptions, resourcesListChanged, taskIds }: Filter,
  catalog: Catalog,
  call: McpRequestContext,
): Watches {
  const watches = new Map<string, Watched>();
  for (const uri of resourceSubscriptions) {
    const what = watched(catalog, uri, call);
    if (what !== undefined) watches.set(uri, what);
  }
  if (taskIds.length > 0) checkTakesTasks(call);
  for (const taskId of taskIds) {
    const follows = taskFollower(taskId, call, catalog);
    if (follows !== undefined) watches.set(taskName(taskId), { channels: [], follow: follows });
  }
  if (resourcesListChanged) watches.set(RESOURCE_LIST, { channels: readable(call.principal, EVERYTHING) });
  return watches;
}

/** Announces the changes of a task; undefined if the caller has no such task. */
function taskFollower(taskId: string, call: McpRequestContext, { tasks }: Catalog): Watched["follow"] {
  for (const source of tasks) {
    const stop = source.follow?.(taskId, () => {}, call);
    if (stop === undefined) continue;
    stop();
    return (changed) => source.follow?.(taskId, changed, call) ?? stop;
  }
  return undefined;
}

/** The name of a task among the watched URIs. */
function taskName(taskId: string): string {
  return `tasks/${taskId}`;
}

/** The acknowledgement, which names only what is granted. */
function honoured({ resourceSubscriptions: uris, taskIds, ...lists }: Filter): JsonObject {
  const named = Object.entries(lists).filter(([, isGranted]) => isGranted);
  return {
    ...Object.fromEntries(named),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
    ...(taskIds.length > 0 ? { taskIds } : {}),
  };
}

/** A notification of this subscription as JSON text. */
function notification(id: string, name: string, params = ""): string {
  return `{"jsonrpc":"2.0","method":"notifications/${name}","params":{"_meta":{"${META.subscriptionId}":${id}}${params}}}`;
}
