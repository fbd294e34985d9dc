import type { Catalog, Task, TaskSource } from "../definitions.ts";
import { invalidParams, isObject, shown, type JsonObject } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import { checkTakesTasks, TASKS_EXTENSION } from "./task.ts";

type TaskMethod = (params: JsonObject, call: McpRequestContext, catalog: Catalog) => Promise<JsonObject>;

/** The methods of the Tasks extension, which only the modern era has. */
export const TASK_METHODS: readonly (readonly [string, TaskMethod])[] = [
  ["tasks/get", declared((id, source, call) => source.get(id, call))],
  [
    "tasks/update",
    declared(async (id, source, call, { inputResponses }) => {
      if (!isObject(inputResponses))
        throw invalidParams("inputResponses must be an object, by the keys of inputRequests");
      return (await source.update(id, inputResponses, call)) ? {} : undefined;
    }),
  ],
  ["tasks/cancel", declared(async (id, source, call) => ((await source.cancel(id, call)) ? {} : undefined))],
];

/** What `server/discover` says of tasks. */
export const TASK_CAPABILITY: JsonObject = { [TASKS_EXTENSION]: {} };

/** The state of a task; undefined if the caller has no such task. */
export async function findTask(id: string, call: McpRequestContext, { tasks }: Catalog): Promise<Task | undefined> {
  for (const source of tasks) {
    const task = await source.get(id, call);
    if (task !== undefined) return task;
  }
  return undefined;
}

/** A method for clients that take tasks; `perform` returns undefined if the source has no such task. */
function declared(
  perform: (id: string, source: TaskSource, call: McpRequestContext, params: JsonObject) => Promise<object | undefined>,
): TaskMethod {
  return async (params, call, { tasks }) => {
    checkTakesTasks(call);
    const { taskId } = params;
    if (typeof taskId !== "string") throw invalidParams("taskId is missing; give that of the task, as it was created");
    for (const source of tasks) {
      const result = await perform(taskId, source, call, params);
      if (result !== undefined) return result as JsonObject;
    }
    throw invalidParams(`There is no task ${shown(taskId)}: it was removed, or never existed`);
  };
}
