import { setTimeout as pause } from "node:timers/promises";
import type {
  ContentResult,
  InputRequest,
  Task,
  TaskCreated,
  TaskSource,
  ToolDefinition,
} from "../../src/mcp/definitions.ts";
import { CODES, isObject, type JsonObject } from "../../src/mcp/errors.ts";
import { checkTakesTasks, takesTasks } from "../../src/mcp/tasks/task.ts";
import { content, text } from "./content.ts";

/** The work of a task; it ends with a result, or throws what the task fails with. */
type Work = (job: Job) => Promise<ContentResult>;

/** A task in memory. */
class Job {
  readonly id: string = crypto.randomUUID();
  readonly created: string = new Date().toISOString();
  readonly #stop = new AbortController();
  #changed = this.created;
  #status: Task["status"] = "working";
  #end: Pick<Task, "result" | "error"> = {};
  readonly #asked = new Map<string, { readonly request: InputRequest; readonly answer: (response: unknown) => void }>();

  constructor(work: Work) {
    work(this).then(
      (result) => this.#close("completed", { result: { resultType: "complete", ...result } }),
      (error: Error) => this.#close("failed", { error: { code: CODES.internal, message: error.message } }),
    );
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get task(): Task {
    const status = this.#status === "working" && this.#asked.size > 0 ? "input_required" : this.#status;
    const inputRequests = Object.fromEntries([...this.#asked].map(([key, { request }]) => [key, request]));
    return { ...this.#common, status, ...this.#end, ...(status === "input_required" ? { inputRequests } : {}) };
  }

  get createdTask(): TaskCreated {
    return { resultType: "task", ...this.#common, status: "working" };
  }

  get #common(): Omit<Task, "status"> {
    return {
      taskId: this.id,
      createdAt: this.created,
      lastUpdatedAt: this.#changed,
      ttlMs: 60_000,
      pollIntervalMs: 100,
    };
  }

  /** Resolves with what the client responds. */
  ask(key: string, request: InputRequest): Promise<unknown> {
    return new Promise((answer) => this.#asked.set(key, { request, answer }));
  }

  respond(responses: JsonObject): void {
    for (const [key, response] of Object.entries(responses)) {
      this.#asked.get(key)?.answer(response);
      this.#asked.delete(key);
    }
  }

  cancel(): void {
    this.#close("cancelled", {});
    this.#stop.abort();
  }

  #close(status: Task["status"], end: Pick<Task, "result" | "error">): void {
    if (this.#status !== "working") return;
    this.#status = status;
    this.#end = end;
    this.#changed = new Date().toISOString();
    this.#asked.clear();
  }
}

const jobs = new Map<string, Job>();

/** The tasks of the tools below. */
export const memoryTasks: TaskSource = {
  get: (id) => Promise.resolve(jobs.get(id)?.task),
  update: (id, responses) => Promise.resolve(jobs.get(id)?.respond(responses) === undefined && jobs.has(id)),
  cancel: (id) => Promise.resolve(jobs.get(id)?.cancel() === undefined && jobs.has(id)),
};

/** Tools whose answers are tasks, for clients that take them. */
export const taskTools: readonly ToolDefinition[] = [
  offered("greet", "Greets at once", (input) => Promise.resolve(content(text(`Hello, ${String(input?.["name"])}!`)))),
  offered("slow_compute", "Computes for some seconds", async (input, call) => {
    const seconds = Number(input?.["seconds"]);
    const compute: Work = async ({ signal }) => {
      await pause(seconds * 1000, undefined, { signal });
      return content(text(`computed for ${seconds} s`));
    };
    return takesTasks(call) ? started(compute) : content(text("computed without a task"));
  }),
  offered("failing_job", "Fails as a tool fails", async (_, call) => {
    checkTakesTasks(call);
    return started(async () => {
      await pause(100);
      return { ...content(text("it did not work")), isError: true };
    });
  }),
  offered("protocol_error_job", "Fails as a request fails", async (_, call) => {
    checkTakesTasks(call);
    return started(() => Promise.reject(new Error("it broke")));
  }),
  offered("confirm_delete", "Asks before it deletes", async (input, call) => {
    checkTakesTasks(call);
    return started(async (job) => {
      const response = await job.ask("confirm", form("Delete it?", "confirm", "boolean"));
      return content(text(`${String(input?.["filename"])}: ${JSON.stringify(response)}`));
    });
  }),
  offered("multi_input", "Asks two things at once", async (_, call) => {
    checkTakesTasks(call);
    return started(async (job) => {
      const names = await Promise.all(["first", "second"].map((key) => job.ask(key, form(`${key} name?`, "name"))));
      return content(text(JSON.stringify(names)));
    });
  }),
  offered("test_tool_with_task", "Asks for a name, then works", async (_, call) => {
    checkTakesTasks(call);
    const response = call.inputs.responses["user_name"];
    const given = isObject(response) && isObject(response["content"]) ? response["content"]["name"] : undefined;
    if (typeof given === "string") return started(() => Promise.resolve(content(text(`Hello, ${given}!`))));
    const requestState = await call.seal("asked");
    return { resultType: "input_required", inputRequests: { user_name: form("Your name?", "name") }, requestState };
  }),
];

function started(work: Work): TaskCreated {
  const job = new Job(work);
  jobs.set(job.id, job);
  return job.createdTask;
}

function offered(name: string, description: string, call: ToolDefinition["call"]): ToolDefinition {
  return { listing: { name, description, inputSchema: { type: "object", properties: {} } }, call };
}

function form(message: string, field: string, type = "string"): InputRequest {
  const requestedSchema = { type: "object", properties: { [field]: { type } }, required: [field] };
  return { method: "elicitation/create", params: { message, requestedSchema } };
}
