import type { IncomingMessage } from "node:http";
import { Backoff } from "./backoff.ts";
import { Failure, isPassing } from "./failure.ts";
import type { Job } from "./job.ts";
import { isObject, META, notification, type JsonObject, type RpcResponse } from "./message.ts";
import { replies } from "./replies.ts";

const LISTS: Readonly<Record<string, string>> = {
  toolsListChanged: "tools",
  promptsListChanged: "prompts",
  resourcesListChanged: "resources",
};

/**
 * A subscription that outlives its connection, and the hub: `open` asks for it again, and then the client is told that
 * what it listens to may have changed meanwhile. Only the client ends it, or a refusal that will stay one.
 */
export async function listen(
  job: Job,
  open: () => Promise<IncomingMessage>,
  note: (sentence: string) => void,
): Promise<void> {
  const { id } = job.request;
  const backoff = new Backoff();
  let isHonoured = false;
  let isAway = false;
  const leave = (sentence: string): void => {
    if (!isAway) note(`${sentence}; coming back`);
    isAway = true;
  };
  while (!job.signal.aborted) {
    try {
      for await (const message of replies(await open(), id)) {
        if (message.kind === "response") {
          if (!isHonoured || isRefusal(message)) return await job.write(message.text);
          break;
        }
        if (message.method === "notifications/subscriptions/acknowledged") {
          if (!isHonoured) await job.write(message.text);
          else for (const news of missed(job, message.params["notifications"])) await job.write(news);
          isHonoured = true;
          isAway = false;
        } else if (message.method !== "notifications/cancelled") await job.write(message.text);
      }
      leave("the hub ended a subscription");
    } catch (error) {
      if (job.signal.aborted) return;
      if (!isHonoured || !(error instanceof Failure) || !error.isPassing) throw error;
      leave("a subscription was lost");
    }
    await backoff.pause(job.signal);
  }
}

/** What may have happened while nobody listened. */
function missed({ request }: Job, honoured: unknown): readonly string[] {
  const filter = isObject(honoured) ? honoured : {};
  const _meta = { [META.subscriptionId]: request.id };
  const lists = Object.entries(LISTS).filter(([field]) => filter[field] === true);
  const uris: readonly unknown[] = Array.isArray(filter["resourceSubscriptions"])
    ? filter["resourceSubscriptions"]
    : [];
  return [
    ...lists.map(([, list]) => notification(`${list}/list_changed`, { _meta })),
    ...uris.map((uri) => notification("resources/updated", { _meta, uri })),
  ];
}

/** Whether it says that asking again is of no use. */
function isRefusal({ error }: RpcResponse): boolean {
  if (error === undefined) return false;
  const data: JsonObject = isObject(error["data"]) ? error["data"] : {};
  return data["retry"] !== true && !isPassing(error["code"]);
}
